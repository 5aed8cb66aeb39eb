//! The measure that POPGym's tables are of.

use serde_json::{Map, Value};

/// Mean return of the episodes that ended during an entry.
const RETURN: &str = "charts/episodic_return";

/// The maximum over a training, of which these are the entries of `metrics.jsonl`, of the mean return of an entry:
/// POPGym's maximum mean episodic reward, if an entry has as many steps as one of its iterations. What was left over at
/// the end is shorter than an entry and counts only if there is no other; none if no episode ended at all.
pub fn mmer(lines: &[Map<String, Value>]) -> Option<f64> {
    let is_tail = |line: &Map<String, Value>| line.get("tail").and_then(Value::as_bool).unwrap_or(false);
    let greatest = |tail: bool| {
        let of = lines.iter().filter(|line| is_tail(line) == tail);
        of.filter_map(|line| line.get(RETURN)?.as_f64()).max_by(f64::total_cmp)
    };
    greatest(false).or_else(|| greatest(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<Map<String, Value>> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn it_is_the_best_mean_return_of_a_whole_entry() {
        let text = "{\"update\":8,\"updates\":8,\"charts/episodic_return\":-0.5}\n\
                    {\"update\":12,\"updates\":0,\"eval/episodic_return\":0.9}\n\
                    {\"update\":16,\"updates\":8,\"charts/episodic_return\":0.25}\n\
                    {\"update\":24,\"updates\":8}\n\
                    {\"update\":32,\"updates\":8,\"charts/episodic_return\":null}\n\
                    {\"update\":40,\"updates\":8,\"charts/episodic_return\":-0.125}\n";
        assert_eq!(mmer(&entries(text)), Some(0.25));
        let tail = "{\"update\":42,\"updates\":2,\"tail\":true,\"charts/episodic_return\":0.875}";
        assert_eq!(mmer(&entries(&format!("{text}{tail}"))), Some(0.25), "few episodes, by luck");
        assert_eq!(mmer(&entries(tail)), Some(0.875), "there is no other");
        assert_eq!(mmer(&[]), None);
    }
}
