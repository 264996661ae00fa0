"""`python -m retriever` is `retriever`."""

from retriever.cli import main

if __name__ == "__main__":
    main()
