"""The main jobs of a learning library, each one command that ends in a picture.

    python -m fx.examples.digits        MLP and CNN read handwritten digits: what they confuse
    python -m fx.examples.diabetes      an ensemble by `vmap` over parameters: predictions with uncertainty
    python -m fx.examples.characters    a transformer writes Python after reading the standard library
    python -m fx.examples.sequences     an LSTM tells which module a line of code comes from
    python -m fx.examples.vae           a variational autoencoder draws digits
    python -m fx.examples.hmc           Bayesian logistic regression by Hamiltonian Monte Carlo
    python -m fx.examples.maml          learning to learn: a gradient through gradient steps
    python -m fx.examples.neural_ode    a differential equation learned from what it did

All take --help, --seed, --out and --quiet; the same seed gives the same numbers. Data come with scikit-learn and with
Python itself. What they need beside fx: pip install 'fx-transforms[examples]'.
"""
