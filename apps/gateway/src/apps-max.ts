/** Apps that one gateway shows: Bull Board asks for every queue on each of its page's polls, and metrics for each at every scrape. */
export const APPS_MAX = 500
