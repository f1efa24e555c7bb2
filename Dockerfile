# The worker. Its settings come from the environment (docs/operations.md); docker-compose.yml shows them all together.
FROM node:20-slim

# Temporal Cloud's certificate is checked against the system's authorities; the package brings openssl, which makes the
# certificates of docker-compose.yml.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*

WORKDIR /srv/failback
ENV NODE_ENV=production
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force
COPY tsconfig.json ./
COPY docker/certificates.sh ./docker/
COPY src ./src

# Volumes take the owner of what they are mounted on.
RUN mkdir /var/lib/failback /certificates && chown node:node /var/lib/failback /certificates
USER node
ENV FAILBACK_STAGE_DIR=/var/lib/failback FAILBACK_BIND_ADDR=:30004 FAILBACK_METRICS_ADDR=:30005
VOLUME /var/lib/failback
EXPOSE 30004 30005

HEALTHCHECK --interval=5s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:30005/_/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

# Without a shell or npm between: SIGTERM reaches the worker, which finishes its window.
CMD ["node", "--import", "tsx", "src/worker/main.ts"]
