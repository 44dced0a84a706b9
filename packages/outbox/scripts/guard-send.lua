-- Decides, inside the MULTI of an enqueue, whether a message with an idempotency key is new.
-- Taken: a tombstone is put where the new job would stand, so that BullMQ's add, which follows, does nothing; the script
-- `unguard`, which comes after it, removes the tombstone.
--   KEYS[1] idempotency record   KEYS[2] the new job   KEYS[3] lane
--   ARGV[1] new id   ARGV[2] fingerprint   ARGV[3] time to live in ms   ARGV[4] '1': joins the lane now
-- Returns {'new'} or {'taken', id, fingerprint}.
local record = redis.call('HMGET', KEYS[1], 'id', 'fp')
if record[1] then
  redis.call('HSET', KEYS[2], 'tombstone', '1')
  return { 'taken', record[1], record[2] }
end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'fp', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if ARGV[4] == '1' then redis.call('RPUSH', KEYS[3], ARGV[1]) end
return { 'new' }
