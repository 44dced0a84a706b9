-- Removes the tombstone that a guard left under a job's key. Ends the MULTI of an enqueue.
--   KEYS[1] the new job
-- Returns 1 if there was one.
if redis.call('HEXISTS', KEYS[1], 'tombstone') == 1 then return redis.call('DEL', KEYS[1]) end
return 0
