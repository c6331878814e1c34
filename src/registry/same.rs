//! Short texts compared in place.

/// Whether two texts are equal: as `==`, which calls a function of the C library, but for texts of the
/// usual length two loads and two comparisons.
#[inline]
pub(super) fn same(one: &str, two: &str) -> bool {
    let (one, two) = (one.as_bytes(), two.as_bytes());
    match one.len() {
        length if length != two.len() => false,
        4..8 => {
            one.first_chunk::<4>() == two.first_chunk() && one.last_chunk::<4>() == two.last_chunk()
        }
        8..17 => {
            one.first_chunk::<8>() == two.first_chunk() && one.last_chunk::<8>() == two.last_chunk()
        }
        _ => one == two,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        let text = "a text that is longer than two words";
        for length in 0..=text.len() {
            let one = &text[..length];
            let copy = one.to_owned();
            assert!(same(one, &copy));
            assert!(length == 0 || !same(one, &text[..length - 1]));
            for at in 0..length {
                let mut other = one.to_owned();
                other.replace_range(at..=at, "?");
                assert!(!same(one, &other), "{one} {other}");
            }
        }
    }
}
