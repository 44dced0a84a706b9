// Generated from the OpenAPI document by `pnpm run docs`.
export interface paths {
    "/v1/apps/{appid}/dead-letters:count": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How many dead letters there are, and of what */
        get: operations["countDeadLetters"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tasks that run, and those that ended in the last seven days */
        get: operations["listTasks"];
        put?: never;
        /**
         * Replay or discard many dead letters
         * @description Of a filter, or of up to 10,000 ids. Workers carry it out, oldest first by acceptance. With `dryRun` nothing is done and the letters are counted. A filter’s `window` is judged when the letters are found.
         */
        post: operations["createTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}/tasks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How far a task is */
        get: operations["readTask"];
        put?: never;
        post?: never;
        /**
         * Cancel a task
         * @description At once; what is left of its letters stays as it is. One that has ended stays so. With `takeBack`, for a day after its last letter also of a task that is done: what it has replayed and nobody has tried to send becomes the dead letters again that it was.
         */
        delete: operations["cancelTask"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Every app that a worker has served, what holds it, and what waits
         * @description Needs a key of all apps.
         */
        get: operations["listApps"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}:pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send nothing of an app until it is resumed
         * @description Messages are still accepted, and wait in order.
         */
        post: operations["pauseApp"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}:resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End a pause, a suspension or a throttling at once, whoever made it */
        post: operations["resumeApp"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}/media": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Upload a picture
         * @description The body is the picture: PNG, JPEG or GIF, of `MEDIA_BYTES_MAX` bytes at most. The same bytes are uploaded once in 70 hours, whoever sends them. A message with the URL of a picture needs no such call.
         */
        post: operations["uploadMedia"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}/users/{openid}/actions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report what a user did
         * @description Opens the reply window and lets go what waits for the user. May be repeated with the same `at` and `id`. Where WeChat’s own message push comes to the gateway, this is not needed.
         */
        post: operations["recordAction"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}/users/{openid}/window": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How many messages WeChat still takes for a user, and until when */
        get: operations["readWindow"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A person’s messages
         * @description What is open, then what is scheduled, dead, and delivered, each newest first. A page looks at a thousand jobs of the app at most, so it may be empty and have a `next`. What is cancelled, replayed or discarded is told of by its id alone.
         */
        get: operations["listMessages"];
        put?: never;
        /**
         * Send a message
         * @description Answers once Redis has the message.
         */
        post: operations["sendMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}/messages:batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send up to 1000 messages
         * @description One result for each message, in order; one that is refused does not hold up the others. Each may have an `idempotencyKey` of its own. 503 when none of them could be stored.
         */
        post: operations["sendBatch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}/messages/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where a message stands */
        get: operations["readMessage"];
        put?: never;
        post?: never;
        /**
         * Cancel a message
         * @description Possible until something of it may have reached WeChat. Twice is once. Of a text in parts, with the id of the first: all of them that are not sent yet, and 409 where some are.
         */
        delete: operations["cancelMessage"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}/dead-letters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Dead letters, newest first
         * @description With the filter of counts and tasks. Codes, people and times have indexes; for `notTouser`, names of reasons and times of acceptance letters are looked at, some two thousand for a page.
         */
        get: operations["listDeadLetters"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}/dead-letters/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One dead letter */
        get: operations["readDeadLetter"];
        put?: never;
        post?: never;
        /** Discard a dead letter for good */
        delete: operations["discardDeadLetter"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/apps/{appid}/dead-letters/{id}:replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a dead letter again, as a new message
         * @description A worker carries it out. Asked again, the answer is the same id.
         */
        post: operations["replayDeadLetter"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        TaskRequest: {
            /** @enum {string} */
            action: "replay" | "discard";
            filter?: components["schemas"]["DeadLetterFilter"];
            ids?: string[];
            perSecond?: number;
            dryRun?: boolean;
        };
        /** @description What is absent excludes nothing, and all that is given has to hold; {} means all */
        DeadLetterFilter: {
            errcode?: (number | string) | (number | string)[];
            touser?: string | string[];
            notTouser?: string | string[];
            window?: ("open" | "used-up" | "closed" | "unknown") | ("open" | "used-up" | "closed" | "unknown")[];
            /** @description ISO 8601 with an offset, or epoch milliseconds */
            since?: number | string;
            /** @description ISO 8601 with an offset, or epoch milliseconds */
            until?: number | string;
            /** @description ISO 8601 with an offset, or epoch milliseconds */
            acceptedSince?: number | string;
            /** @description ISO 8601 with an offset, or epoch milliseconds */
            acceptedUntil?: number | string;
            limit?: number;
        };
        Pause: {
            /** @description What other operators read beside it */
            why?: string;
        };
        UserAction: {
            /** @enum {string} */
            action: "message" | "enter";
            /** @description When it happened; now by default. A time in the future is now */
            at?: number | string;
            /** @description Tells two actions of one moment apart, and a repeat from a new one: WeChat’s `MsgId` */
            id?: string;
        };
        SendRequest: {
            /**
             * @description The openid of the recipient
             * @example oABCD1234567890_wxyz-EFGHijk
             */
            touser: string;
            /** @description Makes repeating the request safe: with the same key and body it is the same message */
            idempotencyKey?: string | null;
            /** @description Not before this time */
            sendAt?: (number | string) | null;
            /** @description Not after this time: what is still waiting then is dead */
            expiresAt?: (number | string) | null;
            /** @description What to do when nobody can know whether WeChat took it; resend by default */
            ifUnsure?: ("resend" | "dead-letter") | null;
            /** @description While the reply window of the recipient is closed: `dead-letter` sends it, and WeChat’s refusal buries it; `hold` lets it wait for the user’s next action; `refuse` does not accept it, as far as the window is known to be closed. By default what `ON_CLOSED` says */
            onClosed?: ("dead-letter" | "hold" | "refuse") | null;
            /** @description A newer message to the same person with the same key takes the place of this one, as long as nothing of this one can have reached WeChat: it ends `superseded` */
            collapseKey?: string | null;
            /** @description At most 4096 bytes of JSON, given back by status and dead letters */
            metadata?: {
                [key: string]: unknown;
            } | null;
            traceparent?: string | null;
            /** @description `is_ai_msg`: 1 marks what an AI has written */
            aimsgcontext?: {
                is_ai_msg?: (0 | 1) | null;
                msgid?: string | null;
            } | null;
            /** @description WeChat’s id of a merchant’s business */
            businessid?: string | null;
            /** @description `kf_account`: the agent in whose name the message is shown */
            customservice?: {
                kf_account?: string | null;
            } | null;
            text: {
                /** @description At most 2048 bytes of UTF-8, or what `TEXT_BYTES_MAX` says. With `TEXT_SPLIT` a longer text becomes several messages, 50 at most, and the id is that of the first */
                content: string;
            };
            image?: null;
            link?: null;
            miniprogrampage?: null;
            /** @constant */
            msgtype: "text";
        } | {
            /**
             * @description The openid of the recipient
             * @example oABCD1234567890_wxyz-EFGHijk
             */
            touser: string;
            /** @description Makes repeating the request safe: with the same key and body it is the same message */
            idempotencyKey?: string | null;
            /** @description Not before this time */
            sendAt?: (number | string) | null;
            /** @description Not after this time: what is still waiting then is dead */
            expiresAt?: (number | string) | null;
            /** @description What to do when nobody can know whether WeChat took it; resend by default */
            ifUnsure?: ("resend" | "dead-letter") | null;
            /** @description While the reply window of the recipient is closed: `dead-letter` sends it, and WeChat’s refusal buries it; `hold` lets it wait for the user’s next action; `refuse` does not accept it, as far as the window is known to be closed. By default what `ON_CLOSED` says */
            onClosed?: ("dead-letter" | "hold" | "refuse") | null;
            /** @description A newer message to the same person with the same key takes the place of this one, as long as nothing of this one can have reached WeChat: it ends `superseded` */
            collapseKey?: string | null;
            /** @description At most 4096 bytes of JSON, given back by status and dead letters */
            metadata?: {
                [key: string]: unknown;
            } | null;
            traceparent?: string | null;
            /** @description `is_ai_msg`: 1 marks what an AI has written */
            aimsgcontext?: {
                is_ai_msg?: (0 | 1) | null;
                msgid?: string | null;
            } | null;
            /** @description WeChat’s id of a merchant’s business */
            businessid?: string | null;
            /** @description `kf_account`: the agent in whose name the message is shown */
            customservice?: {
                kf_account?: string | null;
            } | null;
            text?: null;
            image: {
                media_id?: string | null;
                url?: string | null;
            } & ({
                url?: null;
            } | {
                media_id?: null;
            });
            link?: null;
            miniprogrampage?: null;
            /** @constant */
            msgtype: "image";
        } | {
            /**
             * @description The openid of the recipient
             * @example oABCD1234567890_wxyz-EFGHijk
             */
            touser: string;
            /** @description Makes repeating the request safe: with the same key and body it is the same message */
            idempotencyKey?: string | null;
            /** @description Not before this time */
            sendAt?: (number | string) | null;
            /** @description Not after this time: what is still waiting then is dead */
            expiresAt?: (number | string) | null;
            /** @description What to do when nobody can know whether WeChat took it; resend by default */
            ifUnsure?: ("resend" | "dead-letter") | null;
            /** @description While the reply window of the recipient is closed: `dead-letter` sends it, and WeChat’s refusal buries it; `hold` lets it wait for the user’s next action; `refuse` does not accept it, as far as the window is known to be closed. By default what `ON_CLOSED` says */
            onClosed?: ("dead-letter" | "hold" | "refuse") | null;
            /** @description A newer message to the same person with the same key takes the place of this one, as long as nothing of this one can have reached WeChat: it ends `superseded` */
            collapseKey?: string | null;
            /** @description At most 4096 bytes of JSON, given back by status and dead letters */
            metadata?: {
                [key: string]: unknown;
            } | null;
            traceparent?: string | null;
            /** @description `is_ai_msg`: 1 marks what an AI has written */
            aimsgcontext?: {
                is_ai_msg?: (0 | 1) | null;
                msgid?: string | null;
            } | null;
            /** @description WeChat’s id of a merchant’s business */
            businessid?: string | null;
            /** @description `kf_account`: the agent in whose name the message is shown */
            customservice?: {
                kf_account?: string | null;
            } | null;
            text?: null;
            image?: null;
            link: {
                title: string;
                description: string;
                /** Format: uri */
                url: string;
                /** Format: uri */
                thumb_url: string;
            };
            miniprogrampage?: null;
            /** @constant */
            msgtype: "link";
        } | {
            /**
             * @description The openid of the recipient
             * @example oABCD1234567890_wxyz-EFGHijk
             */
            touser: string;
            /** @description Makes repeating the request safe: with the same key and body it is the same message */
            idempotencyKey?: string | null;
            /** @description Not before this time */
            sendAt?: (number | string) | null;
            /** @description Not after this time: what is still waiting then is dead */
            expiresAt?: (number | string) | null;
            /** @description What to do when nobody can know whether WeChat took it; resend by default */
            ifUnsure?: ("resend" | "dead-letter") | null;
            /** @description While the reply window of the recipient is closed: `dead-letter` sends it, and WeChat’s refusal buries it; `hold` lets it wait for the user’s next action; `refuse` does not accept it, as far as the window is known to be closed. By default what `ON_CLOSED` says */
            onClosed?: ("dead-letter" | "hold" | "refuse") | null;
            /** @description A newer message to the same person with the same key takes the place of this one, as long as nothing of this one can have reached WeChat: it ends `superseded` */
            collapseKey?: string | null;
            /** @description At most 4096 bytes of JSON, given back by status and dead letters */
            metadata?: {
                [key: string]: unknown;
            } | null;
            traceparent?: string | null;
            /** @description `is_ai_msg`: 1 marks what an AI has written */
            aimsgcontext?: {
                is_ai_msg?: (0 | 1) | null;
                msgid?: string | null;
            } | null;
            /** @description WeChat’s id of a merchant’s business */
            businessid?: string | null;
            /** @description `kf_account`: the agent in whose name the message is shown */
            customservice?: {
                kf_account?: string | null;
            } | null;
            text?: null;
            image?: null;
            link?: null;
            miniprogrampage: {
                title: string;
                pagepath: string;
                thumb_media_id?: string | null;
                thumb_url?: string | null;
            } & ({
                thumb_url?: null;
            } | {
                thumb_media_id?: null;
            });
            /** @constant */
            msgtype: "miniprogrampage";
        };
        Batch: {
            messages: components["schemas"]["SendRequest"][];
        };
        LetterCounts: {
            total: number;
            /** @description The greatest first, at most 1000; hours in their order */
            counts: {
                /** @description An errcode or the name of a reason, an openid, or the begin of an hour */
                key: string;
                count: number;
            }[];
            /** @description How many of `total` stand in none of `counts` */
            others: number;
        };
        /** @description RFC 9457 */
        Problem: {
            /** @example urn:wechat-outbox:problem:WXO_INVALID */
            type: string;
            title: string;
            status: number;
            /** @enum {string} */
            code: "WXO_INVALID" | "WXO_CONFLICT" | "WXO_UNAVAILABLE" | "WXO_FULL" | "bad-request" | "key-missing" | "key-unknown" | "sign-in" | "forbidden" | "host" | "origin" | "push-refused" | "read-only" | "dashboard-off" | "not-found" | "unknown-app" | "unknown-message" | "unknown-dead-letter" | "unknown-task" | "method-not-allowed" | "request-timeout" | "WXO_WINDOW_CLOSED" | "too-late" | "being-replayed" | "not-replayable" | "retry-all-off" | "too-many-tasks" | "too-large" | "uri-too-long" | "content-type" | "media-refused" | "too-many-attempts" | "too-many-requests" | "headers-too-large" | "internal" | "forward-failed" | "wechat-away" | "timeout" | "forward-late";
            detail: string;
            /** @description The problems of the request by path, at most 50; an empty path is the body itself */
            errors?: {
                /** @example messages.3.touser */
                path: string;
                message: string;
            }[];
        };
        /** @description By errcode and by window state. Nothing was done */
        DryRun: {
            /** @constant */
            dryRun: true;
            /** @enum {string} */
            action: "replay" | "discard";
            total: number;
            /** @description The greatest first, at most 1000; hours in their order */
            counts: {
                /** @description An errcode or the name of a reason, an openid, or the begin of an hour */
                key: string;
                count: number;
            }[];
            /** @description How many of `total` stand in none of `counts` */
            others: number;
            /** @description By the state of the reply window of their people, of 10000 letters at most */
            windows: {
                /** @enum {string} */
                key: "open" | "used-up" | "closed" | "unknown";
                count: number;
            }[];
            /** @description Of them: their content was removed. Null where too many letters would have to be looked at */
            notReplayable: number | null;
        };
        Task: {
            /**
             * @description Of a task
             * @example r-4fZ8hQ2sVx0LmN6tRw1B
             */
            id: string;
            /** @enum {string} */
            action: "replay" | "discard";
            /** @description Null where ids were given */
            filter: {
                errcode?: string[];
                touser?: string[];
                notTouser?: string[];
                window?: ("open" | "used-up" | "closed" | "unknown")[];
                /** Format: date-time */
                since?: string;
                /** Format: date-time */
                until?: string;
                /** Format: date-time */
                acceptedSince?: string;
                /** Format: date-time */
                acceptedUntil?: string;
                limit?: number;
            } | null;
            /** @enum {string} */
            status: "running" | "done" | "cancelled";
            /** @description How many letters it is about; null until they have been found */
            total: number | null;
            /** @description Replayed, or discarded */
            done: number;
            /** @description Gone, or asked for by somebody else, when their turn came */
            skipped: number;
            /** @description Dead letters as before: nothing in them can be sent */
            failed: number;
            /** @description Of those that failed: their content was removed */
            notReplayable: number;
            /** @description Of those replayed: dead letters again */
            takenBack: number;
            perSecond: number | null;
            /** Format: date-time */
            startedAt: string;
            /** Format: date-time */
            endedAt?: string;
            /** @description Who started it: the id of an API key, or user@host of `wxo` */
            by: string;
            /** @description Who cancelled it, where somebody did */
            cancelledBy?: string;
        };
        App: {
            /**
             * @description The Mini Program
             * @example wx1234567890abcdef
             */
            appid: string;
            /** @enum {string} */
            state: "open" | "paused" | "suspended" | "throttled";
            /** @description Why it is held; null while it is open */
            reason: string | null;
            /** @description Messages that are not settled */
            waiting: number;
            /** @description Of them: those that wait for the next action of their users */
            waitingForUser: number;
            deadLetters: number;
            /** @description Whether a worker serves it now */
            served: boolean;
        };
        UploadedMedia: {
            /** @description `image.media_id` or `miniprogrampage.thumb_media_id` of messages */
            media_id: string;
            /** Format: date-time */
            expiresAt: string;
        };
        ReplyWindow: {
            /**
             * @description `unknown`: no action was reported, or the window closed long ago. Messages are sent as in an open one; what WeChat has refused and may wait waits for an action all the same (`waitingForUser`)
             * @enum {string}
             */
            state: "open" | "used-up" | "closed" | "unknown";
            /** @description Messages that WeChat still takes; null while that is unknown */
            remaining: number | null;
            closesAt: string | null;
            lastAction: {
                /** @enum {string} */
                action: "message" | "enter";
                /** Format: date-time */
                at: string;
            } | null;
            /** @description Messages to the person that are not settled yet */
            waiting: number;
            /** @description How many of them go no further before the user’s next action */
            waitingForUser: number;
        };
        Receipt: {
            /**
             * @description Of a message
             * @example m-4fZ8hQ2sVx0LmN6tRw1B
             */
            id: string;
            status: components["schemas"]["Status"];
        };
        /** @enum {string} */
        Status: "scheduled" | "queued" | "held" | "waiting-for-user" | "sending" | "retrying" | "delivered" | "dead" | "replayed" | "discarded" | "cancelled" | "superseded";
        MessagePage: {
            items: components["schemas"]["StatusReport"][];
            /** @description `cursor` of the next page; null at the end. A page may have fewer than `limit`, or none, and a `next` */
            next: string | null;
        };
        StatusReport: {
            /**
             * @description Of a message
             * @example m-4fZ8hQ2sVx0LmN6tRw1B
             */
            id: string;
            status: components["schemas"]["Status"];
            /**
             * @description The Mini Program
             * @example wx1234567890abcdef
             */
            appid: string;
            /** @description Empty where the message could not be read */
            touser: string;
            msgtype: string;
            /** Format: date-time */
            acceptedAt: string;
            /** Format: date-time */
            sendAt?: string;
            /** Format: date-time */
            expiresAt?: string;
            /**
             * Format: date-time
             * @description With `waiting-for-user`: when it first waited for its user
             */
            waitingSince?: string;
            /** Format: date-time */
            settledAt?: string;
            /**
             * @description Of a dead letter
             * @example d-4fZ8hQ2sVx0LmN6tRw1B
             */
            deadLetter?: string;
            /**
             * @description Of a dead letter
             * @example d-4fZ8hQ2sVx0LmN6tRw1B
             */
            replayOf?: string;
            /**
             * @description Of a message
             * @example m-4fZ8hQ2sVx0LmN6tRw1B
             */
            replayedAs?: string;
            /**
             * @description Of a message
             * @example m-4fZ8hQ2sVx0LmN6tRw1B
             */
            supersededBy?: string;
            part?: components["schemas"]["Part"];
            /** @description Of the first part: the ids of all, in their order */
            parts?: string[];
            attempts: components["schemas"]["Attempt"][];
            /**
             * @description Its content is kept no more
             * @constant
             */
            contentRemoved?: true;
            metadata?: {
                [key: string]: unknown;
            };
        };
        /** @description Of a message that a long text was cut into */
        Part: {
            /** @description Which it is, from 1 on */
            n: number;
            of: number;
            /**
             * @description The first part: the id that was answered
             * @example m-4fZ8hQ2sVx0LmN6tRw1B
             */
            first: string;
        };
        Attempt: {
            /** Format: date-time */
            at: string;
            outcome: string;
            /** @description How long the call took, in milliseconds */
            ms: number;
            errcode?: number;
            errmsg?: string;
            /** @description WeChat’s request id */
            rid?: string;
        };
        BatchResults: {
            /** @description One for each message, in order */
            results: (components["schemas"]["Receipt"] | components["schemas"]["Problem"])[];
        };
        DeadLetterPage: {
            items: components["schemas"]["DeadLetter"][];
            /** @description `cursor` of the next page; null at the end. A page may have fewer than `limit`, or none, and a `next` */
            next: string | null;
        };
        DeadLetter: {
            /**
             * @description Of a dead letter
             * @example d-4fZ8hQ2sVx0LmN6tRw1B
             */
            id: string;
            /** @constant */
            v: 1;
            /**
             * @description Of a message
             * @example m-4fZ8hQ2sVx0LmN6tRw1B
             */
            messageId: string;
            message: ({
                v: 1 | 2;
                /**
                 * @description The openid of the recipient
                 * @example oABCD1234567890_wxyz-EFGHijk
                 */
                touser: string;
                /** @enum {string} */
                msgtype: "text" | "image" | "link" | "miniprogrampage";
                part?: components["schemas"]["Part"];
                /** Format: date-time */
                sendAt?: string;
                /** Format: date-time */
                expiresAt?: string;
                /**
                 * @description Its content is kept no more
                 * @constant
                 */
                contentRemoved?: true;
            } & {
                [key: string]: unknown;
            }) | {
                unreadable: unknown;
            };
            reason: components["schemas"]["Reason"];
            attempts: components["schemas"]["Attempt"][];
            /** Format: date-time */
            acceptedAt: string;
            /** Format: date-time */
            deadAt: string;
        };
        Reason: {
            /** @description WeChat’s, or null where the reason is the outbox’s own */
            errcode: number | null;
            /** @example reply-window-closed */
            name: string;
            errmsg: string;
            rid?: string;
            meaning: {
                en: string;
                zh: string;
            };
            source: string;
        };
        Replay: {
            /**
             * @description Of a message
             * @example m-4fZ8hQ2sVx0LmN6tRw1B
             */
            id: string;
            /**
             * @description Of a dead letter
             * @example d-4fZ8hQ2sVx0LmN6tRw1B
             */
            replayOf: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    countDeadLetters: {
        parameters: {
            query?: {
                /** @description `hour`: that of the death, in UTC */
                by?: "errcode" | "touser" | "hour";
                errcode?: (number | string) | (number | string)[];
                touser?: string | string[];
                notTouser?: string | string[];
                window?: ("open" | "used-up" | "closed" | "unknown") | ("open" | "used-up" | "closed" | "unknown")[];
                /** @description Died then or later */
                since?: string | number;
                /** @description Died then or earlier */
                until?: string | number;
                /** @description Their messages were accepted then or later */
                acceptedSince?: string | number;
                /** @description Accepted then or earlier */
                acceptedUntil?: string | number;
                /** @description The first so many by acceptance */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Counts */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LetterCounts"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listTasks: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All of them */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The latest first, at most 100 */
                        items: components["schemas"]["Task"][];
                    };
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createTask: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TaskRequest"];
            };
        };
        responses: {
            /** @description With `dryRun`: the counts */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DryRun"];
                };
            };
            /** @description It is stored, and a worker will carry it out */
            202: {
                headers: {
                    Location: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No worker has ever served this app */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many tasks run already */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is near its memory limit; Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readTask: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
                /** @description Of a task */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The task */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such task */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancelTask: {
        parameters: {
            query?: {
                /** @description Also takes back what is replayed and not sent yet */
                takeBack?: boolean;
            };
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
                /** @description Of a task */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The task */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such task */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listApps: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All of them */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["App"][];
                    };
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pauseApp: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Pause"];
            };
        };
        responses: {
            /** @description It is paused */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /**
                         * @description The Mini Program
                         * @example wx1234567890abcdef
                         */
                        appid: string;
                        /** @description False: it was so before */
                        changed: boolean;
                    };
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No worker has ever served this app */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resumeApp: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is open */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /**
                         * @description The Mini Program
                         * @example wx1234567890abcdef
                         */
                        appid: string;
                        /** @description False: it was so before */
                        changed: boolean;
                    };
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No worker has ever served this app */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    uploadMedia: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "image/png": string;
                "image/jpeg": string;
                "image/gif": string;
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description WeChat has the picture */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadedMedia"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No worker has ever served this app */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description WeChat does not take the picture */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description WeChat does not take it now; It took too long; Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    recordAction: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
                /** @description The openid of the recipient */
                openid: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserAction"];
            };
        };
        responses: {
            /** @description It is recorded */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No worker has ever served this app */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is near its memory limit; Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readWindow: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
                /** @description The openid of the recipient */
                openid: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What is known */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReplyWindow"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listMessages: {
        parameters: {
            query: {
                /** @description The openid of the recipient */
                touser: string;
                /** @description In one of these states */
                status?: ("scheduled" | "queued" | "held" | "sending" | "waiting-for-user" | "retrying" | "delivered" | "dead") | ("scheduled" | "queued" | "held" | "sending" | "waiting-for-user" | "retrying" | "delivered" | "dead")[];
                /** @description Accepted then or later */
                since?: string | number;
                /** @description Of a page */
                limit?: number;
                /** @description `next` of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessagePage"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sendMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description `idempotencyKey`, in quotes (the IETF’s draft) or bare */
                "Idempotency-Key"?: string;
                /** @description Taken over where a message has no `traceparent` */
                traceparent?: string;
            };
            path: {
                /** @description The Mini Program */
                appid: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SendRequest"];
            };
        };
        responses: {
            /** @description Stored by an earlier request with the same idempotency key */
            200: {
                headers: {
                    Location: string;
                    "Idempotent-Replayed": "true";
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Receipt"];
                };
            };
            /** @description Stored: from now on the outbox answers for it */
            202: {
                headers: {
                    Location: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Receipt"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No worker has ever served this app */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The idempotency key belongs to another message */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is near its memory limit; Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sendBatch: {
        parameters: {
            query?: never;
            header?: {
                /** @description Taken over where a message has no `traceparent` */
                traceparent?: string;
            };
            path: {
                /** @description The Mini Program */
                appid: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Batch"];
            };
        };
        responses: {
            /** @description What became of each */
            207: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchResults"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No worker has ever served this app */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is near its memory limit; Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
                /** @description Of a message */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Its status and attempts */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatusReport"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such message */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancelMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
                /** @description Of a message */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It will not be sent */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /**
                         * @description Of a message
                         * @example m-4fZ8hQ2sVx0LmN6tRw1B
                         */
                        id: string;
                        /** @constant */
                        status: "cancelled";
                    };
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such message */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too late to cancel */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listDeadLetters: {
        parameters: {
            query?: {
                errcode?: (number | string) | (number | string)[];
                touser?: string | string[];
                notTouser?: string | string[];
                window?: ("open" | "used-up" | "closed" | "unknown") | ("open" | "used-up" | "closed" | "unknown")[];
                /** @description Died then or later */
                since?: string | number;
                /** @description Died then or earlier */
                until?: string | number;
                /** @description Their messages were accepted then or later */
                acceptedSince?: string | number;
                /** @description Accepted then or earlier */
                acceptedUntil?: string | number;
                /** @description Of a page */
                limit?: number;
                /** @description `next` of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeadLetterPage"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readDeadLetter: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
                /** @description Of a dead letter */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The message, the reason and all attempts */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeadLetter"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such dead letter */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    discardDeadLetter: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
                /** @description Of a dead letter */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /**
                         * @description Of a dead letter
                         * @example d-4fZ8hQ2sVx0LmN6tRw1B
                         */
                        id: string;
                        /** @constant */
                        status: "discarded";
                    };
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such dead letter */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The dead letter is being replayed */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    replayDeadLetter: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The Mini Program */
                appid: string;
                /** @description Of a dead letter */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The id of the new message */
            202: {
                headers: {
                    Location: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Replay"];
                };
            };
            /** @description The request is refused */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description An API key is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The API key does not allow this */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such dead letter */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The dead letter cannot be replayed */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many attempts; Too many requests */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Redis is away */
            503: {
                headers: {
                    "Retry-After": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
