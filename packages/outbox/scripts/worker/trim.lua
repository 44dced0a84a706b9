-- Removes delivered messages that have been kept long enough, in an app in which nothing is delivered any more as well.
--   KEYS[1] completed
--   ARGV[1] prefix of jobs  ARGV[2] delivered jobs are kept for so many seconds  ARGV[3] and so many
-- Returns how many went; at a thousand or more there may be others.
--- include clock
--- include trim-delivered
return trimDelivered(KEYS[1], ARGV[1], { now = nowMs(), seconds = ARGV[2], count = ARGV[3] })
