"""Does label smoothing help? Trained and measured on Fashion-MNIST."""
