"""The settings that are trained and compared, by the names that the pages use."""

from measured.experiment.train import STUDENT, TEACHER, Setting

SOME, NOISE = (0.0, 0.1), (0.2, 0.4)
SETTINGS = {
    **{
        f"{images} {e}": Setting(e, images=images)
        for images in ("all", "often", "few")
        for e in (0.0, 0.05, 0.1, 0.2)
    },
    "all 0.1 others": Setting(0.1, convention="others"),
    "unbalanced 0.0": Setting(0.0, images="unbalanced"),
    "unbalanced 0.0 rows": Setting(0.0, images="unbalanced", weights="rows"),
    "unbalanced 0.1": Setting(0.1, images="unbalanced"),
    "unbalanced 0.1 rows": Setting(0.1, images="unbalanced", weights="rows"),
    "unbalanced 0.1 torch": Setting(0.1, images="unbalanced", weights="torch"),
    "student": Setting(images="often", width=STUDENT),
    **{f"teacher {e}": Setting(e, images="often", width=TEACHER) for e in SOME},
    **{
        f"student {e} at {t}": Setting(
            images="often", width=STUDENT, teacher=e, temperature=t
        )
        for t in (1.0, 4.0)
        for e in SOME
    },
    **{
        f"{images} noise {noise} {e}": Setting(e, images=images, noise=noise)
        for images in ("all", "often")
        for noise in NOISE
        for e in (*SOME, 0.2)
    },
}
