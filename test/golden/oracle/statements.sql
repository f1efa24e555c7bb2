-- upsert of every type
MERGE INTO "SHOP"."Order ""Items""" t USING (SELECT CAST(:1 AS NUMBER) AS c1, :2 AS c2, :3 AS c3, :4 AS c4, CAST(:5 AS NUMBER) AS c5, TO_BINARY_DOUBLE(:6) AS c6, TO_BINARY_FLOAT(:7) AS c7, :8 AS c8, :9 AS c9, :10 AS c10, TO_DATE(:11, 'SYYYY-MM-DD HH24:MI:SS') AS c11, TO_TIMESTAMP(:12, 'SYYYY-MM-DD HH24:MI:SS.FF9') AS c12, TO_TIMESTAMP_TZ(:13, 'SYYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM') AS c13, TO_TIMESTAMP_TZ(:14, 'SYYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM') AS c14, CAST(:15 AS INTERVAL YEAR(9) TO MONTH) AS c15, CAST(:16 AS INTERVAL DAY(9) TO SECOND(9)) AS c16, CAST(:17 AS BOOLEAN) AS c17, JSON(:18) AS c18 FROM DUAL) s ON (t."ID" = s.c1) WHEN MATCHED THEN UPDATE SET t."CODE" = s.c2, t."LABEL" = s.c3, t."FLAG" = s.c4, t."PRICE" = s.c5, t."RATIO" = s.c6, t."RATIO4" = s.c7, t."NOTE" = s.c8, t."TOKEN" = s.c9, t."IMAGE" = s.c10, t."MADE" = s.c11, t."SEEN" = s.c12, t."SENT" = s.c13, t."READ_AT" = s.c14, t."AGE" = s.c15, t."TOOK" = s.c16, t."OPEN" = s.c17, t."DOC" = s.c18 WHEN NOT MATCHED THEN INSERT ("ID", "CODE", "LABEL", "FLAG", "PRICE", "RATIO", "RATIO4", "NOTE", "TOKEN", "IMAGE", "MADE", "SEEN", "SENT", "READ_AT", "AGE", "TOOK", "OPEN", "DOC") VALUES (s.c1, s.c2, s.c3, s.c4, s.c5, s.c6, s.c7, s.c8, s.c9, s.c10, s.c11, s.c12, s.c13, s.c14, s.c15, s.c16, s.c17, s.c18)
;
-- upsert of the key alone
MERGE INTO "SHOP"."Order ""Items""" t USING (SELECT CAST(:1 AS NUMBER) AS c1 FROM DUAL) s ON (t."ID" = s.c1) WHEN NOT MATCHED THEN INSERT ("ID") VALUES (s.c1)
;
-- upsert by a CHAR and a RAW
MERGE INTO "SHOP"."Order ""Items""" t USING (SELECT :1 AS c1, :2 AS c2, CAST(:3 AS NUMBER) AS c3 FROM DUAL) s ON (t."FLAG" = CAST(s.c2 AS CHAR(2000)) AND t."TOKEN" = s.c1) WHEN MATCHED THEN UPDATE SET t."PRICE" = s.c3 WHEN NOT MATCHED THEN INSERT ("TOKEN", "FLAG", "PRICE") VALUES (s.c1, s.c2, s.c3)
;
-- upsert with what the target lacks
MERGE INTO "SHOP"."Order ""Items""" t USING (SELECT CAST(:1 AS NUMBER) AS c1, :2 AS c2, :3 AS c3 FROM DUAL) s ON (t."ID" = s.c1) WHEN MATCHED THEN UPDATE SET t."CODE" = s.c2, t."NOTE" = s.c3 WHEN NOT MATCHED THEN INSERT ("ID", "CODE", "NOTE") VALUES (s.c1, s.c2, s.c3)
;
-- delete
DELETE FROM "SHOP"."Order ""Items""" WHERE "ID" = CAST(:1 AS NUMBER)
;
-- delete by a CHAR and a RAW
DELETE FROM "SHOP"."Order ""Items""" WHERE "FLAG" = CAST(:1 AS CHAR(2000)) AND "TOKEN" = :2
;
-- park
UPDATE "SHOP"."Order ""Items""" SET "CODE" = NULL, "LABEL" = NULL WHERE "ID" = CAST(:1 AS NUMBER)
;
-- kept
SELECT TO_CHAR("PRICE", 'TM9') AS k1, "NOTE" AS k2, RAWTOHEX("TOKEN") AS k3, TO_CHAR("MADE", 'SYYYY-MM-DD HH24:MI:SS') AS k4, TO_CHAR("SEEN", 'SYYYY-MM-DD HH24:MI:SS.FF9') AS k5, TO_CHAR("SENT", 'SYYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM') AS k6 FROM "SHOP"."Order ""Items""" WHERE "ID" = CAST(:1 AS NUMBER)
;
-- kept, with nothing to keep
SELECT 1 AS k1 FROM "SHOP"."Order ""Items""" WHERE "ID" = CAST(:1 AS NUMBER)
;
-- kept, with a BLOB
none
;
-- insert of a lifted row
INSERT INTO "SHOP"."Order ""Items""" ("ID", "CODE", "TOKEN", "MADE") VALUES (CAST(:1 AS NUMBER), :2, :3, TO_DATE(:4, 'SYYYY-MM-DD HH24:MI:SS'))
;
-- a value by itself
SELECT CAST(CAST(:1 AS NUMBER) AS NUMBER(12,2)) AS c FROM DUAL
;
-- columns
SELECT c.column_name AS name, c.data_type AS data_type, c.data_length AS data_length, c.data_precision AS data_precision, c.data_scale AS data_scale,
  c.char_length AS char_length, c.char_used AS char_used, c.nullable AS nullable, c.virtual_column AS virtual_column,
  i.generation_type AS generation_type, j.format AS json_format
FROM all_tab_cols c
LEFT JOIN all_tab_identity_cols i ON i.owner = c.owner AND i.table_name = c.table_name AND i.column_name = c.column_name
LEFT JOIN all_json_columns j ON j.owner = c.owner AND j.table_name = c.table_name AND j.column_name = c.column_name
WHERE c.owner = :1 AND c.table_name = :2 AND c.user_generated = 'YES'
ORDER BY c.column_id
;
-- unique keys
SELECT x.owner AS index_schema, x.index_name AS index_name, y.column_name AS column_name,
  (SELECT MAX(k.constraint_type) FROM all_constraints k WHERE k.owner = x.table_owner AND k.table_name = x.table_name
    AND k.index_name = x.index_name AND k.constraint_type IN ('P', 'U')) AS constraint_type
FROM all_indexes x
JOIN all_ind_columns y ON y.index_owner = x.owner AND y.index_name = x.index_name
WHERE x.table_owner = :1 AND x.table_name = :2 AND x.uniqueness = 'UNIQUE'
ORDER BY x.index_name, y.column_position
;
-- deferrable unique keys
SELECT k.constraint_name AS index_name, y.column_name AS column_name, k.constraint_type AS constraint_type
FROM all_constraints k
JOIN all_cons_columns y ON y.owner = k.owner AND y.constraint_name = k.constraint_name
WHERE k.owner = :1 AND k.table_name = :2 AND k.constraint_type IN ('P', 'U') AND k.status = 'ENABLED' AND k.deferrable = 'DEFERRABLE'
ORDER BY k.constraint_name, y.position
;
-- references
SELECT f.owner AS child_schema, f.table_name AS child_table, f.constraint_name AS constraint_name, f.delete_rule AS delete_rule,
  f.deferrable AS can_be_deferred, p.constraint_type AS parent_type, a.column_name AS child_column, b.column_name AS parent_column
FROM all_constraints f
JOIN all_constraints p ON p.owner = f.r_owner AND p.constraint_name = f.r_constraint_name
JOIN all_cons_columns a ON a.owner = f.owner AND a.constraint_name = f.constraint_name
JOIN all_cons_columns b ON b.owner = p.owner AND b.constraint_name = p.constraint_name AND b.position = a.position
WHERE f.constraint_type = 'R' AND f.status = 'ENABLED' AND p.owner = :1 AND p.table_name = :2
ORDER BY f.owner, f.constraint_name, a.position
;
