// What is sorted: a key of 64 bits.

alias Key = vec2<u32>;
alias Record = vec2<u32>;

const LAST: Record = vec2<u32>(0xffffffffu, 0xffffffffu);

fn record(key: Key, place: u32) -> Record {
    return key;
}

fn key_of(r: Record) -> Key {
    return r;
}

// Nothing is known of it.
fn place_of(r: Record) -> u32 {
    return 0u;
}

fn before(a: Record, b: Record) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

// The eight bits from `shift` on, of a number below the key's width.
fn digit(r: Record, shift: u32) -> u32 {
    return (select(r.x, r.y, shift >= 32u) >> (shift & 31u)) & 0xffu;
}

// A record that is looked for digit by digit. Found, it is what sort_record_64_place.wgsl reads.
struct Sought {
    // Its digits as far as they are found, zeros behind.
    lower: u32,
    upper: u32,
    // Records before it among those that have these digits.
    before: u32,
}

fn sought(key: Key, before: u32) -> Sought {
    return Sought(key.x, key.y, before);
}

fn key_found(s: Sought) -> Key {
    return vec2<u32>(s.lower, s.upper);
}

// Whether the digits above `shift` are those.
fn agrees(r: Record, key: Key, shift: u32) -> bool {
    let other = r ^ key;
    if shift >= 32u {
        return (other.y >> (shift - 32u)) < 256u;
    }
    return other.y == 0u && (other.x >> shift) < 256u;
}

fn with_digit(key: Key, value: u32, shift: u32) -> Key {
    let bits = value << (shift & 31u);
    return key | select(vec2<u32>(bits, 0u), vec2<u32>(0u, bits), shift >= 32u);
}
