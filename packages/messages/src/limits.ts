/**
 * How large anything may be that a caller hands in. WeChat documents almost none of its limits, so these are set where
 * no real message reaches and where a mistake (a file read into a field, a loop) is refused before it costs anything.
 */

/** WeChat's limit on `text.content` is not documented; people report 2048 bytes of UTF-8 [community]. */
export const TEXT_BYTES_MAX_DEFAULT = 2048

/** The limit can be set to this at the least: every character fits. */
export const TEXT_BYTES_MAX_MIN = 4

/** Messages that one text becomes. They are stored in one script, during which Redis serves nobody else. */
export const PARTS_MAX = 50

/** A whole request. Everything that is allowed below fits into it; a body of megabytes does not. */
export const REQUEST_BYTES_MAX = 65_536

export const METADATA_BYTES_MAX = 4096

/**
 * Objects, lists, texts, numbers and the like in one request. No value of `metadata` takes less than two bytes, so all that may stand
 * there fits.
 */
export const VALUES_MAX = 2500

/** Nesting of `metadata`. Deeper values are refused before anything recursive sees them. */
export const DEPTH_MAX = 16

/** Titles, descriptions, media ids, page paths and URLs, in UTF-16 units. */
export const FIELD_CHARS_MAX = 2048

export const IDEMPOTENCY_KEY_CHARS_MAX = 200

/** Requests in one `sendMany` or one batch. */
export const BATCH_MAX = 1000
