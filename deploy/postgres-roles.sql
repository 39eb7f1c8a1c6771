-- One role for each service, in place of a superuser for all of them. The image of PostgreSQL runs
-- this when it makes its volume; run it again after a change of passwords, or once on a database
-- that is older than the roles:
--
--   docker compose exec postgres psql -U pixelmill -f /docker-entrypoint-initdb.d/roles.sql
--
-- `pixelmill_migrate` owns the tables and gives the others their rights (migrations/grants.py).

\set ON_ERROR_STOP on
\getenv migrate_password MIGRATE_DATABASE_PASSWORD
\getenv api_password API_DATABASE_PASSWORD
\getenv io_password IO_DATABASE_PASSWORD
\getenv worker_password WORKER_DATABASE_PASSWORD

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['pixelmill_migrate', 'pixelmill_api', 'pixelmill_io', 'pixelmill_worker']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE pixelmill_migrate LOGIN PASSWORD :'migrate_password';
ALTER ROLE pixelmill_api LOGIN PASSWORD :'api_password';
ALTER ROLE pixelmill_io LOGIN PASSWORD :'io_password';
ALTER ROLE pixelmill_worker LOGIN PASSWORD :'worker_password';

SELECT format('ALTER DATABASE %I OWNER TO pixelmill_migrate', current_database()) \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO pixelmill_api, pixelmill_io, pixelmill_worker',
              current_database()) \gexec

-- Tables that the superuser has made, in the times when it did everything.
SELECT format('ALTER TABLE public.%I OWNER TO pixelmill_migrate', tablename)
FROM pg_tables WHERE schemaname = 'public' \gexec

-- From now on the superuser comes in by the socket in its own container alone.
SELECT format('ALTER ROLE %I PASSWORD NULL', current_user) \gexec
