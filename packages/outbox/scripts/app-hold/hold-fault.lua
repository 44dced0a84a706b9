-- A call has met a fault of its app, or one that becomes the app's when it comes often enough without a success between.
--   KEYS[1] hold   KEYS[2] faults in a row
--   ARGV[1] prefix of the queue's keys   ARGV[2] lock token of the run
--   ARGV[3] group that is counted, '' for a fault that needs no second one   ARGV[4] how many in a row are too many
--   ARGV[5] kind   ARGV[6] cause   ARGV[7] name of the reason   ARGV[8] the reason, JSON   ARGV[9] ms until the first probe
--   ARGV[10] the most ms between two probes   ARGV[11] for how many people the row must have been   ARGV[12] the person, '' if nobody
--   ARGV[13] what the app's receiver is told if it is held from now on (JSON), or ''   ARGV[14] and when that is over, or ''
-- Returns {'active'}       counted, and the app goes on
--         {'lifted'}       it was the probe of an app that WeChat could not be reached for, and WeChat has answered
--         {'held'}         the app is held already
--         {'again', until} a probe has failed
--         {'new', until}   the app is held from now on, or for another reason
--- include hold
local holdKey, rowKey, prefix = KEYS[1], KEYS[2], ARGV[1]
local known = redis.call('HMGET', holdKey, 'kind', 'cause', 'name', 'half', 'prober', 'since', 'until')
local isProbing = known[1] and known[4]
-- Whatever the code says that came: the way to WeChat is open. This answer begins a row of its own.
local lifted = isProbing and known[5] == ARGV[2] and (known[2] == 'road' or known[2] == 'asked') and ARGV[6] == 'send' and ARGV[3] ~= ''
if lifted then
  lift(holdKey, rowKey, prefix)
end
local enough = true
if ARGV[3] ~= '' then
  local of, others = ARGV[3] .. ':of', ARGV[3] .. ':others'
  if ARGV[12] ~= '' and redis.call('HSETNX', rowKey, of, ARGV[12]) == 0 and redis.call('HGET', rowKey, of) ~= ARGV[12] then
    redis.call('HSET', rowKey, others, 1)
  end
  enough = redis.call('HINCRBY', rowKey, ARGV[3], 1) >= tonumber(ARGV[4])
    and (tonumber(ARGV[11]) < 2 or redis.call('HEXISTS', rowKey, others) == 1)
  -- Faults with a day between them are not in a row.
  redis.call('PEXPIRE', rowKey, 86400000)
end
if lifted then return { 'lifted' } end
local same = known[1] == ARGV[5] and known[2] == ARGV[6] and known[3] == ARGV[7]
if not enough and not (same and isProbing) then
  if known[1] and not isProbing then return { 'held' } end
  if not isProbing or known[5] ~= ARGV[2] then return { 'active' } end
  -- A probe that met another fault has proved nothing.
  holdAgain(holdKey, prefix)
  return { 'again', redis.call('HGET', holdKey, 'until') }
end
local now = nowMs()
local pauseMs = tonumber(ARGV[9])
-- A probe has failed: the next pause is longer. Where WeChat said how long, it knows better.
if isProbing and ARGV[6] ~= 'asked' then pauseMs = math.max(pauseMs, nextPauseMs(holdKey)) end
local till = now + pauseMs
if known[1] and not isProbing then
  -- Calls that were under way when the app was held come back with the same fault, which changes nothing; but a quota
  -- counts from the last call, and of two different faults the longer one holds.
  if same and ARGV[5] == 'suspended' or till <= tonumber(known[7]) then return { 'held' } end
end
endProbing(holdKey, prefix)
redis.call('HSET', holdKey, 'kind', ARGV[5], 'cause', ARGV[6], 'name', ARGV[7], 'reason', ARGV[8],
  'since', same and known[6] or now, 'until', till, 'pause', pauseMs, 'every', ARGV[10])
shut(prefix)
if not same then tellSuspended(prefix, ARGV[13], ARGV[14]) end
return { same and 'again' or 'new', tostring(till) }
