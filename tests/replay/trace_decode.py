"""A second reader of traces, after docs/TRACE-FORMAT.md alone: what it and hvrec do not agree on is a mistake in
one of the two or in that text. It checks by assertions that a trace is whole; damaged ones are not its business. Needs the
libraries that hvrec is linked with, and nothing of hvrec."""
import ctypes
import sqlite3
import struct

MASK = (1 << 64) - 1
TRAPS, EXIT, IDLE, KINDS = range(1, 9), 9, 10, range(1, 23)
PREDICTED, TEXT, WORD = range(3)
COLUMNS = 19
NO_TEXT = 33

lz4, xxhash, zstd = (ctypes.CDLL(name) for name in ("liblz4.so.1", "libxxhash.so.0", "libzstd.so.1"))
xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
zstd.ZSTD_decompress.restype = ctypes.c_size_t
zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


xxhash.XXH3_128bits.restype = Hash128
xxhash.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def hash64(data, seed=0):
    return xxhash.XXH3_64bits_withSeed(data, len(data), seed)


def hash128(data):
    got = xxhash.XXH3_128bits(data, len(data))
    return got.high.to_bytes(8, "big") + got.low.to_bytes(8, "big")


def u64s(*numbers):
    return struct.pack(f"<{len(numbers)}Q", *(number & MASK for number in numbers))


def lz4_block(data, size):
    out = ctypes.create_string_buffer(size + 1)
    assert lz4.LZ4_decompress_safe(data, out, len(data), size) == size, "an lz4 block of another size"
    return out.raw[:size]


def zstd_frame(data, size):
    out = ctypes.create_string_buffer(size)
    assert zstd.ZSTD_decompress(out, size, data, len(data)) == size, "a zstd frame of another size"
    return out.raw


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        assert self.at <= len(self.data), "read past a column's end"
        return self.data[self.at - count:self.at]

    def number(self, size=1):
        return int.from_bytes(self.take(size), "little")

    def varint(self):
        value = shift = 0
        while True:
            byte = self.number()
            value |= (byte & 0x7f) << shift
            shift += 7
            assert value <= MASK, "a varint of more than 64 bits"
            if not byte & 0x80:
                return value

    def end(self):
        assert self.at == len(self.data), "a column is not used up"


class Runs:
    def __init__(self, runs, misses):
        self.runs, self.misses = Bytes(runs), Bytes(misses)
        self.right = self.runs.varint()

    def miss(self):
        """The next truth that was not predicted; None: the prediction is right."""
        if self.right:
            self.right -= 1
            return None
        truth = self.misses.varint()
        self.right = self.runs.varint()
        return truth

    def end(self):
        assert self.right == 0, "a run is not used up"
        self.runs.end()
        self.misses.end()


class Guesses:
    """The tables NEXT and DELTA."""

    def __init__(self):
        self.entries = {}

    def get(self, entry, otherwise):
        guess, trust = self.entries.get(entry, (0, 0))
        return guess if trust else otherwise

    def learn(self, entry, truth):
        guess, trust = self.entries.get(entry, (0, 0))
        if trust and guess == truth:
            self.entries[entry] = guess, 2
        else:
            self.entries[entry] = (guess, 1) if trust == 2 else (truth, 1)


def unzigzag(number):
    return number >> 1 ^ (MASK if number & 1 else 0)


def near(prediction, miss):
    return prediction if miss is None else prediction + unzigzag(miss) & MASK


def context(a, b, c):
    return (a * 0x9e3779b1 + b * 0x85ebca77 + c * 0xc2b2ae3d & 0xffffffff) >> 20


def decode_sites(columns, count):
    kinds, vcpus, sizes, modes, pcs, addresses = columns
    sites, pc, address = [], 0, 0
    for _ in range(count):
        pc, address = pc + unzigzag(pcs.varint()) & MASK, address + unzigzag(addresses.varint()) & MASK
        sites.append((kinds.varint(), vcpus.number(), sizes.number(), modes.number(), pc, address))
    return sites


def decode_chunk(raw):
    """(start_idle_ns, events, idle time behind). An event is n, guest time, vcpu, kind, pc, address, value, size."""
    head = Bytes(raw)
    count, start_idle_ns, site_count = head.varint(), head.varint(), head.varint()
    assert 1 <= site_count <= count, "site_count"
    column_sizes = [head.varint() for _ in range(COLUMNS)]
    columns = [head.take(size) for size in column_sizes]
    head.end()
    site_columns = [Bytes(column) for column in columns[:6]]
    sites = decode_sites(site_columns, site_count)
    site_runs, n_runs, address_runs, value_runs, pc_runs = (
        Runs(columns[i], columns[i + 1]) for i in (6, 8, 11, 13, 17))
    ticks, text, words = (Bytes(columns[i]) for i in (10, 15, 16))

    following, deltas, values = Guesses(), Guesses(), {}
    site = site_before = seen = n = pc = stray_pc = tick_ns = period_ns = 0
    idle_ns, behind, events = start_idle_ns, NO_TEXT, []
    for _ in range(count):
        ahead = min(text.data[text.at], 32) if text.at < len(text.data) else NO_TEXT
        kind_of_text = behind * 64 + ahead
        entry, miss = context(site, site_before, kind_of_text), site_runs.miss()
        now = following.get(entry, seen) if miss is None else miss - 1 if miss else seen
        following.learn(entry, now)
        kind, vcpu, size, mode, site_pc, site_address = sites[now]

        n_before = n
        if kind == EXIT:
            n = tick_ns + period_ns - idle_ns + unzigzag(ticks.varint()) & MASK
        else:
            entry, miss = context(now, site, kind_of_text), n_runs.miss()
            delta = deltas.get(entry, 0) if miss is None else miss
            deltas.learn(entry, delta)
            n = n + delta & MASK

        address = site_address
        if kind not in KINDS or kind == IDLE:
            address = near(tick_ns + period_ns & MASK if kind == IDLE else 0, address_runs.miss())

        if mode == TEXT:
            value = text.number()
            behind = min(value, 32)
        elif mode == WORD:
            value = words.number(4)
        else:
            assert mode == PREDICTED, "a site's mode"
            entry = context(now, site, 0)
            value = near(address - n - idle_ns & MASK if kind == IDLE else values.get(entry, 0), value_runs.miss())
            values[entry] = value

        pc_before, pc = pc, site_pc
        if kind not in TRAPS and kind != IDLE:
            miss = pc_runs.miss()
            pc = near(stray_pc, miss) if miss is not None else pc_before if n == n_before else stray_pc
            stray_pc = pc

        guest_ns = n + idle_ns & MASK
        events.append((n, guest_ns, vcpu, kind, pc, address, value, size))
        site_before, site, seen = site, now, max(seen, now + 1)
        if kind == EXIT and address == 1:
            interval, low = guest_ns - tick_ns & MASK, period_ns - period_ns // 16
            if interval < low or interval - low > period_ns // 8:
                period_ns = interval
            tick_ns = guest_ns
        elif kind == IDLE:
            tick_ns, idle_ns = address, idle_ns + value & MASK
    for column in (*site_columns, site_runs, n_runs, address_runs, value_runs, pc_runs, ticks, text, words):
        column.end()
    return start_idle_ns, events, idle_ns


ZEROES, LOST = "zeroes", "lost"


def decode_versions(raw, count):
    """The runs of a row of block_version: (disk, block, blocks, event, content of the first block, ZEROES or LOST)."""
    data, runs, told = Bytes(raw), [], 0
    next_content, event, disk, expected = data.varint(), 0, 0, {}
    while told < count:
        head = data.varint()
        if head & 1:
            disk = data.varint()
        block = expected.get(disk, 0) + unzigzag(head >> 1) & MASK
        after = data.varint()
        event = event + after - 1 if after else event
        code, blocks = data.varint(), data.varint() + 1
        content = {0: next_content, 1: ZEROES, 2: LOST}.get(code, next_content - code + 2)
        if code == 0:
            next_content += blocks
        assert code < 3 or 0 <= content <= next_content - blocks, "a run's contents"
        assert disk < 256 and block + blocks <= 1 << 53, "a run's blocks"
        expected[disk] = block + blocks
        runs.append((disk, block, blocks, event if after else 0, content))
        told += blocks
    assert told == count and len(runs) <= 4096, "a row's number of versions"
    data.end()
    return runs


class Trace:
    """version, meta, files {name: contents}, keyframes [(n, next_event)], first_event, events as of decode_chunk, runs as
    of decode_versions, contents [bytes of 64 blocks or fewer by block group], payloads {event: bytes}."""

    def __init__(self, path):
        self.db = sqlite3.connect(path)
        assert self.rows("PRAGMA application_id") == [(0x68767263,)], "application_id"
        self.version = self.rows("PRAGMA user_version")[0][0]
        self.meta = dict(self.rows("SELECT key, value FROM meta"))
        self.read_files()
        self.keyframes = self.read_keyframes() if self.version >= 2 else []
        self.read_events()
        self.runs, self.contents, self.payloads = [], {}, {}
        if self.version >= 5 and self.rows("SELECT 1 FROM sqlite_schema WHERE name = 'block_version'"):
            self.read_blocks()
            self.read_payloads()
        self.db.close()
        if self.version >= 3:
            self.check_seal()
        if self.meta.get("complete") == 1:
            assert self.meta["events"] == self.first_event + len(self.events), "number of events"

    def rows(self, query):
        return self.db.execute(query).fetchall()

    def read_files(self):
        self.hashes = dict(self.rows("SELECT name, hash FROM file"))
        blobs = {key: lz4_block(data, size) for key, size, data in self.rows("SELECT hash, raw_bytes, data FROM blob")}
        assert all(hash128(data) == key for key, data in blobs.items()), "a blob's hash"
        self.files = {name: blobs[key] for name, key in self.hashes.items()}

    def check_seal(self):
        sealed = b""
        for rows in (self.meta, self.hashes):
            for key in sorted(name.encode() for name in rows if name != "checksum" or rows is self.hashes):
                value = rows[key.decode()]
                kind = {int: 1, str: 3, bytes: 4}[type(value)]
                data = u64s(value) if kind == 1 else value.encode() if kind == 3 else value
                sealed += u64s(len(key)) + key + u64s(kind, len(data)) + data
        assert hash64(sealed) == self.meta["checksum"] & MASK, "the seal"

    def read_keyframes(self):
        groups = set()
        for group, count, indexes_sum, data_sum, indexes, data in self.rows("SELECT * FROM page_group ORDER BY id"):
            salt = hash64(u64s(group, count))
            assert hash64(indexes, salt) == indexes_sum & MASK and hash64(data, salt) == data_sum & MASK, "a page group"
            assert 1 <= count <= 64 and len(indexes) == 4 * count and zstd_frame(data, count * 4096), "its pages"
            groups.add(group)
        keyframes, group_end = [], None if "start_n" in self.meta else 0
        for n, next_event, group, count, size, checksum, state, same in self.rows("SELECT * FROM keyframe ORDER BY n"):
            salt = hash64(state, hash64(u64s(n, next_event, group, count, size, len(state))))
            assert hash64(same, salt) == checksum & MASK and lz4_block(state, size), "a keyframe's state"
            assert group_end in (None, group), "a keyframe's first group"
            assert group_end is None or groups >= set(range(group, group + count)), "a keyframe's groups"
            group_end = group + count
            keyframes.append((n, next_event))
        return keyframes

    def read_events(self):
        start = dict(self.keyframes)[self.meta["start_n"]] if "start_n" in self.meta else 0
        self.first_event, self.events = start, []
        place = None
        for *numbers, checksum, data in self.rows("SELECT * FROM chunk ORDER BY first_event"):
            first, count, first_n, last_n, idle_ns, raw_bytes = numbers
            assert hash64(data, hash64(u64s(*numbers))) == checksum & MASK, "a chunk's checksum"
            start_idle_ns, events, end_idle_ns = decode_chunk(lz4_block(data, raw_bytes))
            told = start_idle_ns, len(events), events[0][0], events[-1][0]
            assert told == (idle_ns, count, first_n, last_n), "a row"
            assert place in (None, (first, idle_ns)), "a gap between chunks"
            assert first // 65536 == (first + count - 1) // 65536, "a chunk over a multiple of 65,536"
            place = first + count, end_idle_ns
            self.events += events[max(start - first, 0):]
        ns = [event[0] for event in self.events]
        assert ns == sorted(ns), "n decreases"

    def read_blocks(self):
        for group, count, checksum, data in self.rows("SELECT * FROM block_group ORDER BY id"):
            assert hash64(data, hash64(u64s(group, count))) == checksum & MASK, "a block group's checksum"
            assert 1 <= count <= 64, "content_count"
            self.contents[group] = zstd_frame(data, count * 4096)
        place, gaps = 0, "start_n" in self.meta
        for *numbers, checksum, data in self.rows("SELECT * FROM block_version ORDER BY first_version"):
            first, count, raw_bytes = numbers
            assert hash64(data, hash64(u64s(*numbers))) == checksum & MASK, "the checksum of versions"
            assert first == place or gaps and first > place, "a gap between versions"
            runs = decode_versions(zstd_frame(data, raw_bytes), count)
            gaps = gaps and all(run[3] < self.first_event for run in runs)
            self.runs += runs
            place = first + count
        events = [run[3] for run in self.runs if run[3]]
        assert events == sorted(events), "the order of versions"
        if self.meta.get("complete") == 1:
            assert self.meta["block_versions"] == place, "number of versions"

    def read_payloads(self):
        last = -1
        for *numbers, checksum, data in self.rows("SELECT * FROM payload_group ORDER BY first_event"):
            first_event, last_event, count, raw_bytes = numbers
            assert hash64(data, hash64(u64s(*numbers))) == checksum & MASK, "the checksum of payloads"
            assert first_event > last and 1 <= count <= 4096, "a row of payloads"
            raw = Bytes(zstd_frame(data, raw_bytes))
            event, sizes = first_event, []
            for _ in range(count):
                event += raw.varint()
                sizes.append((event, raw.varint()))
            assert (sizes[0][0], sizes[-1][0]) == (first_event, last_event), "the events of a row of payloads"
            self.payloads.update((event, raw.take(size)) for event, size in sizes)
            raw.end()
            last = last_event
        if self.meta.get("complete") == 1:
            assert self.meta["payloads"] == len(self.payloads), "number of payloads"

    def content(self, content):
        """The bytes of a content; None: zeroes."""
        if content == ZEROES:
            return None
        assert content != LOST, "a block is lost"
        return self.contents[content // 64][content % 64 * 4096:][:4096]

    def disk(self, disk, before_event):
        """{block: content} of a disk before an event."""
        blocks, images = {}, {}
        for of, block, count, event, content in self.runs:
            if of == disk and (event == 0 or event < before_event):
                to = blocks if event else images
                for i in range(count):
                    to[block + i] = content if content in (ZEROES, LOST) else content + i
        return {**images, **blocks}
