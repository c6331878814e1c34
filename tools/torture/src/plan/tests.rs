//! What comes up in the rounds of a seed, and what does not.

use super::*;
use std::collections::HashSet;

#[test]
fn a_seed_means_the_same_rounds_every_time() {
    for number in 0..40 {
        assert_eq!(round(7, number), round(7, number));
        assert_ne!(round(7, number).steps, round(8, number).steps);
        assert_ne!(round(7, number).seed, round(7, number + 1).seed);
    }
}

#[test]
fn every_mark_and_every_setting_comes_up_in_the_gates_rounds() {
    for seed in [1, 7, 42] {
        let rounds: Vec<Round> = (0..16).map(|number| round(seed, number)).collect();
        let settings: HashSet<Setting> = rounds.iter().map(|round| round.setting).collect();
        assert_eq!(settings.len(), 7);
        let steps = rounds.iter().flat_map(|round| &round.steps);
        let marks: HashSet<Mark> = steps.filter_map(target).collect();
        let missing: Vec<_> = MARKS.iter().filter(|mark| !marks.contains(mark)).collect();
        assert!(missing.is_empty(), "seed {seed}: {missing:?}");
    }
}

#[test]
fn sides_sleep_with_and_without_slices_in_all_settings_and_with_all_messages() {
    let mut seen = HashSet::new();
    let (mut waits, mut random) = (HashSet::new(), Random::new(7));
    for number in 0..240 {
        let round = round(7, number);
        let Round { setting, kind, sleep, awake, .. } = round;
        seen.insert((format!("{setting:?}"), sleep));
        seen.insert((format!("{kind:?}"), sleep));
        seen.insert((format!("awake: {awake:?}"), sleep));
        for side in [Side::Sender, Side::Receiver] {
            let waiting = round.waiting(side, &mut random);
            let sleeps = matches!(waiting, Waiting::Park | Waiting::Adaptive);
            assert_eq!(sleeps, round.sleeps(side), "{round:?}");
            waits.insert((waiting, sleep != Sleep::Never));
        }
    }
    // Seven settings and seven kinds of messages, but for a churn without slices; somebody is awake
    // on purpose, or nobody, where there are slices.
    assert_eq!(seen.len(), 3 * (7 + 7) - 1 + 5);
    // Six ways of waiting where sides may sleep, four where they never do.
    assert_eq!(waits.len(), 10);
}

#[test]
fn large_and_kept_messages_come_up_in_all_settings() {
    let rounds: Vec<Round> = (0..132).map(|number| round(3, number)).collect();
    let seen: HashSet<(Setting, Kind)> =
        rounds.iter().map(|round| (round.setting, round.kind)).collect();
    assert_eq!(seen.len(), 7 * 7);
    for round in rounds {
        let of_blocks =
            round.steps.iter().filter_map(target).filter(|mark| OF_BLOCKS.contains(mark));
        let fewest = if round.kind == Kind::Kept { ABOUT_BLOCKS.len() } else { 0 };
        assert!(of_blocks.count() >= fewest, "{round:?}");
        assert_eq!(round.blocks > 0, round.kind == Kind::Kept);
    }
}

#[test]
fn whoever_dies_at_a_mark_of_sleep_may_sleep_or_has_a_peer_that_may() {
    for round in (0..240).map(|number| round(1, number)) {
        for step in &round.steps {
            let (Step::Flowing { side, mark, .. }
            | Step::Churned { side, mark: Some((mark, _)), .. }) = *step
            else {
                continue;
            };
            if mark.name().starts_with("sleep-") {
                assert!(round.sleeps(side), "{step:?} in {round:?}");
            }
            if mark.name().starts_with("wake-") {
                assert!(round.sleeps(side.other()), "{step:?} in {round:?}");
            }
        }
    }
}

#[test]
fn without_slices_nobody_is_to_notice_a_death_that_no_heir_tells_of() {
    let rounds = (0..240).map(|number| round(1, number));
    for round in rounds.filter(|round| round.sleep == Sleep::Endless) {
        assert_ne!(round.setting, Setting::Churn);
        let alone = |step: &Step| matches!(step, Step::Noticing { .. });
        assert!(!round.steps.iter().any(alone), "{round:?}");
    }
}

fn target(step: &Step) -> Option<Mark> {
    match *step {
        Step::Flowing { mark, .. }
        | Step::Succeeding { mark, .. }
        | Step::Noticing { mark, .. }
        | Step::NoticingLate { mark, .. }
        | Step::Closing { mark, .. }
        | Step::Removing { mark }
        | Step::Creating { mark, .. } => Some(mark),
        Step::Churned { mark, .. } => mark.map(|(mark, _)| mark),
        Step::Erasing => Some(Mark::TakeoverErased),
        Step::Sweeping { .. } => Some(Mark::BlockSwept),
        _ => None,
    }
}
