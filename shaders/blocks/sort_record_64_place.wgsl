// What is sorted: a key of 64 bits with the place that it came from.

alias Key = vec2<u32>;

struct Record {
    lower: u32,
    upper: u32,
    place: u32,
}

const LAST: Record = Record(0xffffffffu, 0xffffffffu, 0xffffffffu);

fn record(key: Key, place: u32) -> Record {
    return Record(key.x, key.y, place);
}

fn key_of(r: Record) -> Key {
    return vec2<u32>(r.lower, r.upper);
}

fn place_of(r: Record) -> u32 {
    return r.place;
}

fn before(a: Record, b: Record) -> bool {
    if a.upper != b.upper {
        return a.upper < b.upper;
    }
    return a.lower < b.lower || (a.lower == b.lower && a.place < b.place);
}

// The eight bits of the key from `shift` on, of a number below its width.
fn digit(r: Record, shift: u32) -> u32 {
    return (select(r.lower, r.upper, shift >= 32u) >> (shift & 31u)) & 0xffu;
}
