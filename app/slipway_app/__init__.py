"""A chat service to deploy: an API, a worker that answers, a frontend; PostgreSQL and Redis behind them."""
