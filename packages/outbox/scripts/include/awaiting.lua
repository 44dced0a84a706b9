-- awaitingKey(jobs): those that wait for their users, by when they began to. `jobs`: the prefix of jobs.
local function awaitingKey(jobs)
  return jobs .. 'awaiting-user'
end
