-- WeChat has taken a message: off the lane, the next one woken, BullMQ's completion, and the fetch of another message with its
-- turn, all in one step. What happened is recorded even if the lock was lost.
--   KEYS[1..14] as BullMQ's moveToFinished takes them
--   KEYS[15] lane   KEYS[16] held lanes   KEYS[17] faults in a row   KEYS[18] messages that expire   KEYS[19] the app's hold
--   ARGV[1..9] as BullMQ's moveToFinished takes them   ARGV[10] lock token   ARGV[11] '1': it had an `expiresAt`
--   ARGV[12] '1': what is fetched may have its turn   ARGV[13] prefix of lanes   ARGV[14] park for so many ms
--   ARGV[15] the version of job data that can be read
-- Returns {what BullMQ's returns, tries made before by the message that has its turn or ''}
--- bullmq moveToFinished
--- bullmq moveToActive
--- include left
--- include seat
local id, prefix = ARGV[1], ARGV[7]
-- Mostly there is neither, and one question is answered sooner than two.
local isTroubled = redis.call('EXISTS', KEYS[17], KEYS[19]) > 0
left(id, {
  lane = KEYS[15], prefix = prefix, held = KEYS[16], faults = isTroubled and KEYS[17], expiring = ARGV[11] == '1' and KEYS[18],
})
ARGV[9] = cmsgpack.pack({ 'settled', 'delivered', 'sending', '' })
local fetched = moveToFinished(KEYS, ARGV)
if type(fetched) == 'number' and fetched < 0 then settled(prefix .. id, ARGV[4]) end
if ARGV[12] ~= '1' or (isTroubled and redis.call('EXISTS', KEYS[19]) == 1) then return { fetched, '' } end
local keys = { unpack(KEYS, 1, 10) }
keys[11] = KEYS[14]
local args = { prefix, ARGV[2], ARGV[8] }
local tries
fetched, tries = seat(fetched, {
  wait = KEYS[1], active = KEYS[2], delayed = KEYS[7], held = KEYS[16], prefix = prefix,
  token = ARGV[10], lanes = ARGV[13], parkMs = tonumber(ARGV[14]), version = ARGV[15],
  fetch = function() return moveToActive(keys, args) end,
})
return { fetched, tries or '' }
