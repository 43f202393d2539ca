//! Pure. Bounds of what requests may say; those of a schedule stand in `model::schedule`. The drafts refuse
//! by them, and the OpenAPI document states them.

/// Longest name, in characters.
pub const MAX_NAME_CHARS: usize = 100;

/// Longest description of a monitor, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 2_000;

/// Most tags of a monitor or a maintenance window.
pub const MAX_TAGS: usize = 20;

/// Longest tag, in characters.
pub const MAX_TAG_CHARS: usize = 50;

/// Longest cron pattern, in characters.
pub const MAX_CRON_CHARS: usize = 200;

/// Longest name of a time zone, in characters.
pub const MAX_TIMEZONE_CHARS: usize = 100;

/// Shortest time between two reminders, in seconds; 0 stands for never.
pub const MIN_REMIND_SECS: u32 = 60;

/// Most channels that a monitor names.
pub const MAX_CHANNELS: usize = 50;

/// Time for which a rotated token or secret still works by default, in seconds: a day.
pub const DEFAULT_OVERLAP_SECS: u32 = 86_400;

/// Most monitors that a maintenance window names.
pub const MAX_WINDOW_MONITORS: usize = 500;

/// Shortest repeated maintenance window, in seconds.
pub const MIN_WINDOW_SECS: u32 = 60;

/// Longest URL of a channel, in bytes.
pub const MAX_URL_BYTES: usize = 2_000;

/// Length of a signing secret before its base64 form, in bytes.
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Longest time for which a rotated signing secret still signs, in seconds: 30 days.
pub const MAX_SECRET_OVERLAP_SECS: u32 = 30 * 86_400;

/// Most headers that a webhook sends of its own.
pub const MAX_HEADERS: usize = 20;

/// Longest name of such a header, in bytes.
pub const MAX_HEADER_NAME_BYTES: usize = 100;

/// Longest value of such a header, in bytes.
pub const MAX_HEADER_VALUE_BYTES: usize = 2_000;

/// Longest content type, in characters.
pub const MAX_CONTENT_TYPE_CHARS: usize = 100;

/// Most addresses of an e-mail channel.
pub const MAX_ADDRESSES: usize = 20;

/// Longest e-mail address, in bytes (RFC 5321, 4.5.3.1).
pub const MAX_ADDRESS_BYTES: usize = 254;

/// Most settings in one request.
pub const MAX_SETTINGS: usize = 50;

/// Longest value of a setting, in characters.
pub const MAX_SETTING_CHARS: usize = 4_000;

/// Entries on a page by default.
pub const DEFAULT_PAGE: usize = 50;

/// Most entries on a page.
pub const MAX_PAGE: usize = 500;

/// Most monitors that one request about the past names one by one.
pub const MAX_NAMED_MONITORS: usize = 1_000;

/// Monitors in an answer about the past by default.
pub const DEFAULT_REPORTED: usize = 1_000;

/// Most monitors in an answer about the past.
pub const MAX_REPORTED: usize = 10_000;

/// Most false alarms a month that a proposal may cost.
pub const MAX_ALARMS_PER_MONTH: f64 = 1_000.0;

/// False alarms a month that a proposal may cost by default.
pub const DEFAULT_ALARMS_PER_MONTH: f64 = 1.0;
