/*
 * Sphinx scores a page that explains a word like one that mentions it. Here the pages that
 * explain come before those that list. The other numbers are those of Sphinx, which asks
 * for all of them.
 */
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  score: ([page, , , , score]) => {
    if (/^(learn|guides)\/(?!index)/.test(page)) return score + 4;
    return /^reference\/(api|errors)/.test(page) ? score - 4 : score;
  },
};
