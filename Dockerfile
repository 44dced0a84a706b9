# One image for the worker and the gateway: `docker-compose.yml` says by its `command` which of them a container is.
# Node runs the TypeScript as it stands, but not below node_modules; so the workspace itself is the application, and no
# package of it is installed as a copy. The image's own Node is the runtime: the `node` package is for development.

FROM node:26-slim AS install
WORKDIR /app
COPY . .
RUN npx -y pnpm@12.21.0 install --prod --frozen-lockfile

FROM node:26-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=install /app .
USER node
EXPOSE 3000 9464
STOPSIGNAL SIGTERM
CMD ["node", "apps/worker/src/main.ts"]
