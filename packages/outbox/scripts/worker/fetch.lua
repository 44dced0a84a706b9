-- BullMQ's fetch of the next message, and its turn in the same step.
--   KEYS[1..11] as BullMQ's moveToActive takes them   KEYS[12] held lanes   KEYS[13] the app's hold
--   ARGV[1..3] as BullMQ's moveToActive takes them   ARGV[4] lock token   ARGV[5] prefix of lanes
--   ARGV[6] park for so many ms   ARGV[7] the version of job data that can be read
-- Returns {what BullMQ's returns, tries made before by the message that has its turn or ''}
--- bullmq moveToActive
--- include seat
local function fetch() return moveToActive(KEYS, ARGV) end
if redis.call('EXISTS', KEYS[13]) == 1 then return { fetch(), '' } end
local fetched, tries = seat(fetch(), {
  wait = KEYS[1], active = KEYS[2], delayed = KEYS[7], held = KEYS[12], prefix = ARGV[1],
  token = ARGV[4], lanes = ARGV[5], parkMs = tonumber(ARGV[6]), version = ARGV[7], fetch = fetch,
})
return { fetched, tries or '' }
