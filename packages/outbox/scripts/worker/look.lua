-- The look after parking: a message that was parked while it became first would otherwise wait for nobody.
--   KEYS[1] lane   KEYS[2] held lanes
--   ARGV[1] id   ARGV[2] prefix of job keys
-- Returns 1 if it is first, and has been woken.
--- include wake
if first(KEYS[1], ARGV[2]) ~= ARGV[1] then return 0 end
wake(KEYS[1], ARGV[2], KEYS[2])
return 1
