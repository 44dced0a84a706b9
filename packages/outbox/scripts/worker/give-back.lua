-- Fetches whose answers were lost with their connection have been made all the same, perhaps twice: what they have locked, and
-- their caller does not know of, waits again, and does not look as if it were being sent.
--   KEYS[1] active   KEYS[2] wait   KEYS[3] marker
--   ARGV[1] prefix of jobs   ARGV[2..] two for each: lock token, the id that its caller knows of or ''
-- Returns how many were given back.
--- include mark
local known = {}
for n = 2, #ARGV, 2 do known[ARGV[n]] = ARGV[n + 1] end
local given = 0
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local jobKey = ARGV[1] .. id
  local token = redis.call('GET', jobKey .. ':lock')
  if token and known[token] and known[token] ~= id then
    local _, by = readMark(redis.call('HGET', jobKey, 'sending'))
    redis.call('RPUSH', KEYS[2], id)
    if by == token then redis.call('HSET', jobKey, 'sending', '') end
    redis.call('DEL', jobKey .. ':lock')
    redis.call('LREM', KEYS[1], 1, id)
    redis.pcall('ZADD', KEYS[3], 0, '0')
    given = given + 1
  end
end
return given
