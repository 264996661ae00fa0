"""What earlier builds made, so that a build makes only what is new: vectors by encoder spec and text, bytes by key.

All of it has checksums. What was damaged is not found and is made anew: it holds nothing that is not elsewhere.
"""

from retriever.cache.kept import KeptBytes
from retriever.cache.vectors import TextKeys, VectorCache, keys_of

__all__ = ["KeptBytes", "TextKeys", "VectorCache", "keys_of"]
