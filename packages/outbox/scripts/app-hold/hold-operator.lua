-- An operator's word: it outranks every fault and every probe.
--   KEYS[1] hold   KEYS[2] faults in a row   KEYS[3] the token endpoint's last failure
--   ARGV[1] prefix of the queue's keys   ARGV[2] 'pause' or 'resume'   ARGV[3] why   ARGV[4] who says so, or ''
-- Returns 1 if that changed anything. A resume ends every hold, and a pause that was made with BullMQ alone as well. The
-- endpoint is asked again at once: remembered, its failure would hold the app before anybody has asked.
--- include hold
local meta = ARGV[1] .. 'meta'
if ARGV[2] == 'pause' then
  local isNew = redis.call('HSETNX', KEYS[1], 'operator', nowMs())
  redis.call('HSET', KEYS[1], 'why', ARGV[3], 'by', ARGV[4])
  -- A probe that is under way ends as it may; none is begun while the operator's word stands.
  if redis.call('HEXISTS', KEYS[1], 'half') == 1 then endProbing(KEYS[1], ARGV[1]) end
  shut(ARGV[1])
  return isNew
end
local changed = redis.call('EXISTS', KEYS[1]) + redis.call('HEXISTS', meta, 'paused')
endProbing(KEYS[1], ARGV[1])
if changed > 0 then tellResumed(ARGV[1]) end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
if redis.call('HEXISTS', meta, 'paused') == 1 then redis.call('HSET', meta, 'paused', OURS) end
unshut(ARGV[1])
return changed > 0 and 1 or 0
