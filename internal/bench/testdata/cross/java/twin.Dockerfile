FROM --platform=$BUILDPLATFORM eclipse-temurin:17 AS build
WORKDIR /src
COPY src ./src
RUN mkdir classes && javac -d classes $(find src -name '*.java')
RUN jar --create --file app.jar --main-class example.Main -C classes .

FROM eclipse-temurin:17-jre
COPY --from=build /src/app.jar /app/app.jar
ENTRYPOINT ["java", "-jar", "/app/app.jar"]
