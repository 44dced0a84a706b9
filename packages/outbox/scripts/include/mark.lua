-- The mark that a call may be open: when it was set, in epoch ms, and the lock token of the run that it was set for.
local function markOf(now, token)
  return string.format('%.0f', now) .. ' ' .. token
end

-- Returns both; nothing where there is no mark.
local function readMark(sending)
  return string.match(sending or '', '^(%d+) ?(.*)$')
end
