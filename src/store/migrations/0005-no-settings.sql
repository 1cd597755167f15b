-- Nothing was ever kept in it.

DROP TABLE settings;
