-- Removes what is known of a person beside messages: the reply window, collapse keys, and the openid where it stands among other things.
-- The filter of a task that runs is left: without the person it would mean others.
--   KEYS[1] reply window   KEYS[2] collapse keys   KEYS[3] faults in a row   KEYS[4] lane   KEYS[5] parked lanes
--   KEYS[6] replays that are due, by person   KEYS[7] all tasks
--   ARGV[1] the person   ARGV[2] prefix of tasks   ARGV[3] '1': nothing is changed   ARGV[4] what takes the place of the openid
-- Returns {'1' if there was a window, '1' if there were collapse keys, how many tasks that have ended named the person, how many that run do}.
local touser, tasks, isDry, instead = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4]
local window, collapse = redis.call('EXISTS', KEYS[1]), redis.call('EXISTS', KEYS[2])
local quoted = '"' .. string.gsub(touser, '%-', '%%-') .. '"'
local from, to = '[' .. touser .. ':', '(' .. touser .. ';'
local named, running = 0, 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[7], 0, -1)) do
  local key = tasks .. id
  local filter, status, takingBack = unpack(redis.call('HMGET', key, 'filter', 'status', 'takingBack'))
  local changed, count = string.gsub(filter or '', quoted, '"' .. instead .. '"')
  if count > 0 then
    if status == 'running' or takingBack then
      running = running + 1
    else
      named = named + 1
      if not isDry then redis.call('HSET', key, 'filter', changed) end
    end
  end
  if not isDry then redis.call('ZREMRANGEBYLEX', key .. ':letters:of', from, to) end
end
if isDry then return { window, collapse, named, running } end
redis.call('DEL', KEYS[1], KEYS[2])
local faults = redis.call('HGETALL', KEYS[3])
for n = 1, #faults, 2 do
  if faults[n + 1] == touser then redis.call('HSET', KEYS[3], faults[n], instead) end
end
if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('ZREM', KEYS[5], KEYS[4]) end
redis.call('ZREMRANGEBYLEX', KEYS[6], from, to)
return { window, collapse, named, running }
