--- include token
--- include tell
-- Says that somebody needs a token who cannot fetch one, and which value WeChat has refused, if that is why. Workers hear
-- it, and one of them fetches.
--   KEYS[1] token   KEYS[2] failure   KEYS[3] present while no refusal is taken from here
--   ARGV[1] the refused value or ''   ARGV[2] ms between two refusals that are taken   ARGV[3] the channel
-- Returns how many received it on this server, or -1: there will be none, because a fetch has failed a moment ago or a token
-- was refused too soon after another.
local token = readToken(KEYS[1])
if ARGV[1] ~= '' and token[1] == ARGV[1] and token[6] ~= '1' then
  if not redis.call('SET', KEYS[3], '1', 'NX', 'PX', ARGV[2]) then return -1 end
  redis.call('HSET', KEYS[1], 'refused', '1')
  redis.call('HSETNX', KEYS[1], 'refusedAt', string.format('%.0f', now))
  tell(ARGV[3], 'refused')
end
if tonumber(redis.call('HGET', KEYS[2], 'until') or '0') > now then return -1 end
return tell(ARGV[3], 'wanted')
