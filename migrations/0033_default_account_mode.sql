-- What an account is where nobody says it: live, but in an installation to try things out (`tollgate dev`).
ALTER TABLE installation
    ADD COLUMN default_account_mode text NOT NULL DEFAULT 'live' CHECK (default_account_mode IN ('live', 'test'));
