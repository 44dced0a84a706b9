-- Is it time to probe a held app? Of all workers that ask, one gets to do it, by Redis's clock.
--   KEYS[1] hold
--   ARGV[1] prefix of the queue's keys
-- Returns {'none'}      nothing to probe: no fault, an operator's pause, or it is being probed
--         {'wait', ms}  not yet
--         {'ask'}       ask the token endpoint, and say `hold-lift` if it gave one; the next worker may ask a pause later
--         {'probing'}   the app is probed now: the next message is the probe
--- include hold
local hold = redis.call('HMGET', KEYS[1], 'operator', 'kind', 'half', 'until', 'cause')
if hold[1] or not hold[2] or hold[3] then return { 'none' } end
local leftMs = tonumber(hold[4]) - nowMs()
if leftMs > 0 then return { 'wait', tostring(leftMs) } end
if hold[5] == 'token' then
  planProbe(KEYS[1], nextPauseMs(KEYS[1]))
  return { 'ask' }
end
startProbing(KEYS[1], ARGV[1])
return { 'probing' }
