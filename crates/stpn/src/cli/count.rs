//! Numbers on the command line.

/// A whole number, also as `1e6` or `1_000_000`.
pub fn count(text: &str) -> Result<u64, String> {
    let plain = text.replace('_', "");
    let digits = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
    if let Ok(number) = plain.parse() {
        return Ok(number);
    }
    match plain.parse::<f64>() {
        // As far as a float counts exactly.
        Ok(number) if number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number) => Ok(number as u64),
        Ok(number) if digits || number > 9_007_199_254_740_992.0 => Err(format!("is too large: at most {}", u64::MAX)),
        _ => Err("must be a whole number, such as 1000000, 1_000_000 or 1e6".into()),
    }
}

/// A number of things in memory.
pub fn size(text: &str) -> Result<usize, String> {
    usize::try_from(count(text)?).map_err(|_| "is more than this machine can count".into())
}

/// A number of things in memory, at least one.
pub fn some(text: &str) -> Result<usize, String> {
    match size(text)? {
        0 => Err("must be at least 1".into()),
        number => Ok(number),
    }
}

/// How many seeds, from 1 on.
pub fn seeds(text: &str) -> Result<u64, String> {
    match count(text) {
        Ok(number @ 1..=10_000) => Ok(number),
        _ => Err("must be a number N of 1 to 10,000, which takes seeds 1 to N".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_could_not_be_given_as_1e6() {
        for text in ["1000000", "1_000_000", "1e6", "1E6"] {
            assert_eq!(count(text), Ok(1_000_000), "{text}");
        }
        assert_eq!(count("18446744073709551615"), Ok(u64::MAX));
        for text in ["", "-1", "1.5", "1e-3", "1e30", "many"] {
            assert!(count(text).is_err(), "{text}");
        }
    }
}
