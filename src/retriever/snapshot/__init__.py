"""One immutable index on disk: write, publish, open, verify, prune.

    index/
      CURRENT                the id of the snapshot that is served
      snapshots/<id>/        never changed once it stands here
        entries.jsonl        one entry a line, sorted by id
        entries.npy          where each line starts, how long it is, its crc32
        passages.npy         a row each: its entry, kind, paragraph, start and end
        facets.json, .npy    tag, file, lang, kind, pin, date, metadata → the entries that carry it; and all, as written
        vectors.faiss        a unit vector a row, searched exactly; or where there are many,
        vectors.npy          a unit vector a row in half precision, and
        nearest.faiss        a rough index of the rows that are no sentences
        lexical.bin          the words of entries, by ordinal
        suggest.bin          the words of questions, as they are typed towards
        encoder.*            the exported encoder, so that the snapshot can be served without the model
        gate.json            where the corpus has labelled questions: how they are answered
        manifest.json        written last: what all this is, and the sha256 of each file
      .building-*            a build that has not finished, swept by the next
      .lock                  held by a running build

A **row** is a passage's place; an **ordinal** is an entry's. Both hold inside one snapshot only. Entries are sorted by
id, so that comparing ordinals compares ids.
"""

from retriever.snapshot.facets import write_facets
from retriever.snapshot.layout import FORMAT, KINDS, LINE, PASSAGE, encode_entries, encode_passages
from retriever.snapshot.manifest import (
    current_id,
    read_entries,
    read_gate,
    read_manifest,
    snapshot_ids,
    verified_manifest,
    write_gate,
)
from retriever.snapshot.opening import Snapshot, open_snapshot
from retriever.snapshot.publishing import build_lock, point_to, publish, tidy
from retriever.snapshot.sharing import SharedFiles

__all__ = [
    "FORMAT",
    "KINDS",
    "LINE",
    "PASSAGE",
    "SharedFiles",
    "Snapshot",
    "build_lock",
    "current_id",
    "encode_entries",
    "encode_passages",
    "open_snapshot",
    "point_to",
    "publish",
    "read_entries",
    "read_gate",
    "read_manifest",
    "snapshot_ids",
    "tidy",
    "verified_manifest",
    "write_facets",
    "write_gate",
]
