-- Stores the message that a dead letter is replayed as, and notes it on the dead letter; unless that has been done.
--   KEYS[1..9] as BullMQ's addStandardJob takes them   KEYS[10] messages that expire
--   KEYS[11] dead letter   KEYS[12] the ended record of the message that died   KEYS[13..] the indexes that list the dead letter
--   ARGV[1] prefix of jobs   ARGV[2] prefix of lanes
--   ARGV[3..8] the new message: id, name, recipient, data, accepted at, `expiresAt` or ''
--   ARGV[9] dead letter's id   ARGV[10] the ended record   ARGV[11] its time to live in ms
-- Returns {'new'} or {'taken', id}; {'gone'} when there is no such dead letter, or another message under the new id.
--- include store
local at = { add = KEYS, expiring = KEYS[10], prefix = ARGV[1], lanes = ARGV[2] }
local id, name, touser, data, acceptedAt, expiresAt = unpack(ARGV, 3, 8)

local replayedAs = redis.call('HGET', KEYS[11], 'replayedAs')
if replayedAs then return { 'taken', replayedAs } end
if redis.call('EXISTS', KEYS[11]) == 0 or redis.call('EXISTS', at.prefix .. id) == 1 then return { 'gone' } end
store({
  id = id, name = name, touser = touser, data = data, acceptedAt = tonumber(acceptedAt),
  delayMs = 0, expiresAt = expiresAt ~= '' and expiresAt,
}, at)
redis.call('HSET', KEYS[11], 'replayedAs', id)
redis.call('SET', KEYS[12], ARGV[10], 'PX', ARGV[11])
for i = 13, #KEYS do redis.call('ZREM', KEYS[i], ARGV[9]) end
return { 'new' }
