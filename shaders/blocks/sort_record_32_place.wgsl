// What is sorted: a key of 32 bits at most with the place that it came from.

alias Key = u32;

struct Record {
    key: u32,
    place: u32,
}

const LAST: Record = Record(0xffffffffu, 0xffffffffu);

fn record(key: Key, place: u32) -> Record {
    return Record(key, place);
}

fn key_of(r: Record) -> Key {
    return r.key;
}

fn place_of(r: Record) -> u32 {
    return r.place;
}

fn before(a: Record, b: Record) -> bool {
    return a.key < b.key || (a.key == b.key && a.place < b.place);
}

// The eight bits of the key from `shift` on, of a number below its width.
fn digit(r: Record, shift: u32) -> u32 {
    return (r.key >> shift) & 0xffu;
}
