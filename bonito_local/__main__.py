"""`python -m bonito_local` is `bonito-local`."""

from bonito_local.cli.main import main

if __name__ == "__main__":
    main()
