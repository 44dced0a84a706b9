-- Is it this message's turn? Judged from Redis alone, never from the job as it was fetched.
--   KEYS[1] job   KEYS[2] its lock   KEYS[3] lane   KEYS[4] parked lanes   KEYS[5] the app's rate   KEYS[6] its hold
--   KEYS[7] its mark that it has reply windows
--   ARGV[1] id   ARGV[2] lock token   ARGV[3] lease in ms   ARGV[4] prefix of job keys
--   ARGV[5] '1': joins its lane when it becomes due   ARGV[6] calls per second, 0 for any   ARGV[7] how long it
--   can wait for its call in ms, '' if it has waited   ARGV[8] prefix of reply windows   ARGV[9] recipient   ARGV[10] '1': `hold` is
--   the policy of a message that has none of its own
-- Returns {'lost'}           the lock is not ours or the job is gone: touch nothing
--         {'settled'}        WeChat has it already: finish without sending
--         {'park'}           another message to the same person goes first
--         {'await-user'}     WeChat is known to take nothing now, and its policy is `hold`
--         {'held'}           the app is suspended, throttled or paused, or another run probes it
--         {'wait', ms}       its turn, but its call has to wait so long for the app's rate; unless that
--                            is more than it can, its place is kept
--         {'go', tries made before, ms since an earlier run wrote its mark or '', '1' if this run is the app's probe}
-- On `go` the lease is renewed and `sending` set, to the time and the run's token. The mark of an earlier run means that it
-- died with the call open: that counts as a try, because what it sent may have arrived. A mark of its own is met by a run
-- whose client has repeated the command after a lost reply; it has sent nothing yet, and hears of the earlier mark again.
--- include behind
--- include mark
--- include wake
--- include rate-limit
--- include hold
--- include await-user
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return { 'lost' } end
-- All that is asked of the job in one command, because every message passes here; each job has a `timestamp`.
local exists, settled, sending, tries, parked, taken, onClosed =
  unpack(redis.call('HMGET', KEYS[1], 'timestamp', 'settled', 'sending', 'atm', 'parked', 'stc', 'onClosed'))
if not exists then return { 'lost' } end
if settled then
  redis.call('LREM', KEYS[3], 1, ARGV[1])
  wake(KEYS[3], ARGV[4], KEYS[4])
  return { 'settled' }
end
local gated = gate(KEYS[6], ARGV[4])
if gated == 'held' then return { 'held' } end
local now = nowMs()
local job = { id = ARGV[1], parked = parked, atm = tries, stc = taken }
if isBehind(job, KEYS[3], ARGV[4], ARGV[5] == '1') then return { 'park' } end
-- What an earlier run may have sent is its own to end.
if not sending or sending == '' then
  local windows = { hasWindows = redis.call('EXISTS', KEYS[7]) == 1, windows = ARGV[8], holds = ARGV[10], now = now }
  if mustAwait(onClosed, parked, ARGV[9], windows) then return { 'await-user' } end
end
if ARGV[6] ~= '0' and ARGV[7] ~= '' then
  local ms = rateLimit(KEYS[5], tonumber(ARGV[6]), now, tonumber(ARGV[7]))
  if ms > 0 then return { 'wait', string.format('%.0f', ms) } end
end
if gated and not claim(KEYS[6], ARGV[2], ARGV[3]) then return { 'held' } end
local at, by, earlier = readMark(sending)
if at and by ~= ARGV[2] then
  earlier = markOf(tonumber(at), by)
  tries = tostring(redis.call('HINCRBY', KEYS[1], 'atm', 1))
end
local interruptedAt = readMark(earlier)
local since = interruptedAt and tostring(now - tonumber(interruptedAt)) or ''
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[1], 'sending', markOf(now, ARGV[2], earlier))
if parked == '1' or parked == 'early' then
  redis.call('HSET', KEYS[1], 'parked', '0')
elseif parked == 'user' then
  redis.call('HSET', KEYS[1], 'parked', 'try')
  redis.call('ZREM', awaitingKey(ARGV[4]), ARGV[1])
end
return { 'go', tries or '0', since, gated and '1' or '' }
