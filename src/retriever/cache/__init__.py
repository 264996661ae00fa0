"""What earlier builds made, so that a build makes only what is new: vectors by encoder spec and text, bytes by key.

All of it has checksums. What was damaged is not found and is made anew: it holds nothing that is not elsewhere.
"""

from retriever.cache.kept import Borrowed, KeptBytes
from retriever.cache.vectors import TextKeys, VectorCache, keys_of

__all__ = ["READINGS", "Borrowed", "KeptBytes", "TextKeys", "VectorCache", "keys_of"]

READINGS = "readings.sqlite"
"""The file of an index folder that keeps what each corpus file was read as."""
