# docker build -t nasrank . && docker run --rm -v "$PWD:/work" nasrank compare --losses mse,listmle
FROM python:3.12-slim
# What has no wheel is an archive of Python files; nothing is compiled.
COPY . /source
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu '/source[all]' \
    && rm -rf /source
ENV NASRANK_CACHE=/cache MPLCONFIGDIR=/tmp/matplotlib
RUN mkdir -p /cache /work && chmod 1777 /cache /work
WORKDIR /work
ENTRYPOINT ["nasrank"]
CMD ["--help"]
