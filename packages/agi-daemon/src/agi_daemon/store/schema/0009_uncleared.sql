-- Hosts that did not answer when a run ended: what is left of it there is ended when they do.

CREATE TABLE uncleared (
    run TEXT NOT NULL,
    host TEXT NOT NULL,
    PRIMARY KEY (run, host)
) STRICT;
