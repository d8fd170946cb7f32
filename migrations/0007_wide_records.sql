-- Records of every surface and modality. Rows from before keep their meaning: they counted text and nothing else, in the
-- one form that their operation had then.

ALTER TABLE request_records
    ADD COLUMN surface             text,                -- NULL: from before there was more than one form an operation
    ADD COLUMN idempotency_digest  bytea;

ALTER TABLE attempt_records
    ADD COLUMN input_audio            bigint NOT NULL DEFAULT 0,
    ADD COLUMN input_image            bigint NOT NULL DEFAULT 0,
    ADD COLUMN input_video            bigint NOT NULL DEFAULT 0,
    ADD COLUMN cache_read_audio       bigint NOT NULL DEFAULT 0,
    ADD COLUMN cache_read_image       bigint NOT NULL DEFAULT 0,
    ADD COLUMN cache_read_video       bigint NOT NULL DEFAULT 0,
    ADD COLUMN output_audio           bigint NOT NULL DEFAULT 0,
    ADD COLUMN output_image           bigint NOT NULL DEFAULT 0,
    ADD COLUMN images                 bigint NOT NULL DEFAULT 0,
    ADD COLUMN audio_ms               bigint NOT NULL DEFAULT 0,
    ADD COLUMN characters             bigint NOT NULL DEFAULT 0,
    ADD COLUMN searches               bigint NOT NULL DEFAULT 0,
    ADD COLUMN compute_ms             bigint NOT NULL DEFAULT 0,
    ADD COLUMN kind                   text NOT NULL DEFAULT 'primary',
    ADD COLUMN is_batch               boolean NOT NULL DEFAULT false,
    ADD COLUMN region                 text NOT NULL DEFAULT '',
    ADD COLUMN engine_cost            text,             -- decimal text in US dollars, as the engine wrote it
    ADD COLUMN engine_queue_us        bigint,           -- these five by the engine's own clock
    ADD COLUMN engine_prefill_us      bigint,
    ADD COLUMN engine_decode_us       bigint,
    ADD COLUMN engine_first_token_us  bigint,
    ADD COLUMN engine_total_us        bigint;
