# One image for every role; the command picks it: pages, live, all, relay, handle, poll, manage (see docker-entrypoint).
#
#     docker build --tag mcommerce .
#     docker run --publish 8000:8000 --env SECRET_KEY=... --env ALLOWED_HOSTS=shop.example ... mcommerce pages

FROM python:3.11-slim AS build
# The site and what sends its traces: they are sent only where a collector is named.
COPY requirements-traces.txt .
RUN pip wheel --no-cache-dir --require-hashes --requirement requirements-traces.txt --wheel-dir /wheels

FROM python:3.11-slim
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 VAR_DIR=/var/lib/mcommerce EVENTBUS_LIVENESS_FILE=/tmp/alive
RUN useradd --system --uid 10001 --home-dir /var/lib/mcommerce --create-home mcommerce \
    && install --directory --owner mcommerce /var/lib/mcommerce/media
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps /wheels/*.whl
WORKDIR /srv/mcommerce
COPY . .
RUN python -c "import pathlib, polib; [polib.pofile(po).save_as_mofile(po.with_suffix('.mo')) for po in pathlib.Path().rglob('*.po')]"
# A deployed site hashes its static files, so they are collected as one; these values are gone with the line.
RUN VAR_DIR=/tmp/build ALLOWED_HOSTS=site.invalid SITE_URL=https://site.invalid SECRET_KEY=- SANDBOX_PROVIDER_KEY=- \
    SANDBOX_WEBHOOK_SECRET=- EMAIL_URL=dummy: python manage.py collectstatic --noinput && rm -rf /tmp/build
USER mcommerce
VOLUME /var/lib/mcommerce
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "docker-entrypoint", "healthy"]
ENTRYPOINT ["python", "docker-entrypoint"]
CMD ["all"]
