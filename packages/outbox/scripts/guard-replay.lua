-- Decides, inside the MULTI of a replay, whether a dead letter is still to be replayed. See guard-send.
--   KEYS[1] dead letter   KEYS[2] the new job   KEYS[3] lane
--   KEYS[4] the ended record of the message that died   KEYS[5..] the indexes that list the dead letter
--   ARGV[1] new id   ARGV[2] dead letter's id   ARGV[3] the ended record   ARGV[4] its time to live in ms
-- Returns {'new'} or {'taken', id}; {'gone'} when there is no such dead letter.
local replayedAs = redis.call('HGET', KEYS[1], 'replayedAs')
if replayedAs or redis.call('EXISTS', KEYS[1]) == 0 or redis.call('EXISTS', KEYS[2]) == 1 then
  if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('HSET', KEYS[2], 'tombstone', '1') end
  if replayedAs then return { 'taken', replayedAs } end
  return { 'gone' }
end
redis.call('HSET', KEYS[1], 'replayedAs', ARGV[1])
redis.call('RPUSH', KEYS[3], ARGV[1])
redis.call('SET', KEYS[4], ARGV[3], 'PX', ARGV[4])
for i = 5, #KEYS do redis.call('ZREM', KEYS[i], ARGV[2]) end
return { 'new' }
