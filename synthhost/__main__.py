"""`python -m synthhost` is the `synthhost` command."""

from synthhost.cli.app import main

main()
