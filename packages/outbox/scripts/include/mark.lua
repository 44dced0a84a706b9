-- The mark that a call may be open: when it was set, in epoch ms, and the lock token of the run that it was set for. Behind it stands the
-- mark of an earlier run over which it was set, if there was one: until the run has told of that one, nobody else knows of it.
local function markOf(now, token, earlier)
  local mark = string.format('%.0f', now) .. ' ' .. token
  return (earlier or '') == '' and mark or mark .. ' ' .. earlier
end

-- Returns all three, the last one '' if there was none; nothing where there is no mark.
local function readMark(sending)
  return string.match(sending or '', '^(%d+) ?(%S*) ?(.*)$')
end
