//! Transfer learning in Burn: freezing, AdamW, schedule, loop and evaluation, spoken as events.
